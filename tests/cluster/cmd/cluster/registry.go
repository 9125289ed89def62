package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

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
// with and without a registry's name before limited, down and silent.
func serveRegistry(images string, output io.Writer) error {
	logger := log.New(output, "", log.LstdFlags)
	files := registry.New(registry.Logger(logger), registry.WithBlobHandler(registry.NewDiskBlobHandler(filepath.Join(images, "blobs"))))
	if err := announce(files, images); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", registryAddress)
	if err != nil {
		return err
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	}))
	return nil
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
		tag, err := name.NewTag(image.Annotations[nameAnnotation])
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
