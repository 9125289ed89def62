package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// serveRegistry stands for every registry of the world: containerd asks it for all images, and names the registry
// that it means as the parameter "ns". It has the images of images.go; any other is not found, except that
//
//	limited/… or limited.local/…   too many requests (429)
//	down/…    or down.local/…      refuses the connection
//	silent/…  or silent.local/…    never answers
//
// with and without a registry's name before limited, down and silent. It is given more images by addImages. It
// listens on each node, at the same address.
func serveRegistry(images string, output io.Writer, workers []*worker) (*imageRegistry, error) {
	logger := log.New(output, "", log.LstdFlags)
	layouts := &layouts{}
	files := registry.New(registry.Logger(logger), registry.WithBlobHandler(layouts))
	all := &imageRegistry{files, layouts}
	if err := all.addImages(images); err != nil {
		return nil, err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, inAPI := strings.CutPrefix(r.URL.Path, "/v2/")
		host := r.URL.Query().Get("ns")
		if !inAPI || path == "" || host == "" {
			files.ServeHTTP(w, r)
			return
		}
		switch behaviour(host, path) {
		case "limited":
			logger.Printf("429 for %s/%s", host, path)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}]}`)
		case "down":
			logger.Printf("refused for %s/%s", host, path)
			// Nothing listens on port 1, so the client meets a connection that is truly refused.
			http.Redirect(w, r, "http://127.0.0.1:1/v2/"+path, http.StatusTemporaryRedirect)
		case "silent":
			logger.Printf("no answer for %s/%s", host, path)
			<-r.Context().Done()
		default:
			r.URL.Path = "/v2/" + host + "/" + path
			files.ServeHTTP(w, r)
		}
	})
	for _, w := range workers {
		listener, err := w.listen(registryAddress)
		if err != nil {
			return nil, err
		}
		go http.Serve(listener, handler)
	}
	return all, nil
}

// imageRegistry serves the images of OCI layouts.
type imageRegistry struct {
	files   http.Handler
	layouts *layouts
}

// addImages serves the images of one more layout, which must stay where it is.
func (r *imageRegistry) addImages(folder string) error {
	r.layouts.add(folder)
	return announce(r.files, folder)
}

// layouts finds blobs in the folders of OCI layouts, which it only reads: that of the build is shared by all runs.
type layouts struct {
	mutex   sync.Mutex
	folders []string
}

func (l *layouts) add(folder string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.folders = append(l.folders, folder)
}

// Get opens a blob.
func (l *layouts) Get(_ context.Context, _ string, hash v1.Hash) (io.ReadCloser, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	err := fs.ErrNotExist
	for _, folder := range l.folders {
		var file *os.File
		if file, err = os.Open(filepath.Join(folder, "blobs", hash.Algorithm, hash.Hex)); err == nil {
			return file, nil
		}
	}
	return nil, err
}

// Stat tells the size of a blob.
func (l *layouts) Stat(ctx context.Context, repository string, hash v1.Hash) (int64, error) {
	file, err := l.Get(ctx, repository, hash)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.(*os.File).Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// behaviour tells how a repository behaves, by the first word of its path or of its registry's name.
func behaviour(host, path string) string {
	first, _, _ := strings.Cut(path, "/")
	registry, _, _ := strings.Cut(host, ".")
	for _, special := range []string{"limited", "down", "silent"} {
		if first == special || registry == special {
			return special
		}
	}
	return ""
}

// announce gives the registry the manifests of all images of the layout, below the name of their own registry.
// The blobs it reads from the layout as they are.
func announce(files http.Handler, images string) error {
	content, err := os.ReadFile(filepath.Join(images, "index.json"))
	if err != nil {
		return err
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(content, &index); err != nil {
		return err
	}
	for _, image := range index.Manifests {
		named := image.Annotations[nameAnnotation]
		if named == "" {
			named = image.Annotations[refAnnotation]
		}
		tag, err := name.NewTag(named)
		if err != nil {
			return err
		}
		manifest, err := os.ReadFile(filepath.Join(images, "blobs", image.Digest.Algorithm, image.Digest.Hex))
		if err != nil {
			return err
		}
		host := tag.RegistryStr()
		if host == name.DefaultRegistry {
			host = "docker.io" // as containerd has it; the library says index.docker.io
		}
		url := fmt.Sprintf("/v2/%s/%s/manifests/%s", host, tag.RepositoryStr(), tag.TagStr())
		request := httptest.NewRequest(http.MethodPut, url, bytes.NewReader(manifest))
		request.Header.Set("Content-Type", string(image.MediaType))
		response := httptest.NewRecorder()
		files.ServeHTTP(response, request)
		if response.Code != http.StatusCreated {
			return fmt.Errorf("the registry refuses %s: %s", tag, response.Body)
		}
	}
	return nil
}
