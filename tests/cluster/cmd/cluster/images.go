package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	pauseImage   = "registry.local/pause:1"
	corednsImage = "registry.k8s.io/coredns/coredns:v1.12.4"

	// nameAnnotation is where containerd's import reads an image's name.
	nameAnnotation = "io.containerd.image.name"
	// refAnnotation is where other builders put it.
	refAnnotation = "org.opencontainers.image.ref.name"
)

// nginxPackages is nginx and the libraries it needs on Debian 12, and bash, which the real image has too.
var nginxPackages = []string{"nginx", "nginx-common", "libc6", "libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g", "bash", "libtinfo6"}

// buildImages writes all images to DIR/images as an OCI layout, which the registry serves, and as one archive of
// it, which containerd imports. The programs are in DIR/bin. The machine's own busybox and Debian's nginx stand
// for the published images: the cluster has no way to pull those.
func buildImages(dir string) error {
	out := filepath.Join(dir, "images")
	files, err := layout.Write(out, empty.Index)
	if err != nil {
		return err
	}
	busybox, err := busyboxLayer()
	if err != nil {
		return fmt.Errorf("busybox: %w", err)
	}
	nginx, err := nginxLayer()
	if err != nil {
		return fmt.Errorf("nginx: %w", err)
	}
	add := func(name string, config v1.Config, layers ...v1.Layer) error {
		// Each tag is an image of its own, as published tags are: a kubelet that finds two names for one
		// image reports whichever it likes.
		config.Labels = map[string]string{"org.opencontainers.image.ref.name": name}
		config.Env = append(config.Env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
		image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
		if err != nil {
			return err
		}
		image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
		image, err = mutate.ConfigFile(image, configFile(image, config))
		if err != nil {
			return err
		}
		return files.AppendImage(image, layout.WithAnnotations(map[string]string{nameAnnotation: name}),
			layout.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	}
	for _, tag := range []string{"busybox:latest", "busybox:1.28", "busybox:1.36", "alpine:latest"} {
		if err := add("docker.io/library/"+tag, v1.Config{Cmd: []string{"sh"}}, busybox); err != nil {
			return err
		}
	}
	for _, tag := range []string{"latest", "1.21", "1.22", "alpine"} {
		config := v1.Config{
			Cmd:          []string{"nginx", "-g", "daemon off;"},
			Env:          []string{"NGINX_VERSION=" + tag},
			ExposedPorts: map[string]struct{}{"80/tcp": {}},
			StopSignal:   "SIGQUIT", // as published: a pod may take its whole grace period
		}
		if err := add("docker.io/library/nginx:"+tag, config, busybox, nginx); err != nil {
			return err
		}
	}
	for name, program := range map[string]string{
		pauseImage: "pause", corednsImage: "coredns",
		"registry.local/noshell:1": "noshell", "docker.io/library/noshell:latest": "noshell",
	} {
		layer, err := programLayer(filepath.Join(dir, "bin", program))
		if err != nil {
			return err
		}
		if err := add(name, v1.Config{Entrypoint: []string{"/" + program}}, layer); err != nil {
			return err
		}
	}
	return archive(out, filepath.Join(dir, "images.tar"))
}

// configFile completes an image's configuration for this machine.
func configFile(image v1.Image, config v1.Config) *v1.ConfigFile {
	file, err := image.ConfigFile()
	if err != nil {
		file = &v1.ConfigFile{}
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, config
	return file
}

// rootfs collects files for a layer. The layer is stored as it is, without compression: it is only ever read on
// this machine, and unpacking it is part of every start.
type rootfs struct {
	buffer bytes.Buffer
	tar    *tar.Writer
	have   map[string]bool
}

func newRootfs() *rootfs {
	r := &rootfs{have: map[string]bool{}}
	r.tar = tar.NewWriter(&r.buffer)
	return r
}

// add writes one entry, unless an earlier one has its name.
func (r *rootfs) add(header tar.Header, content io.Reader) error {
	header.Name = strings.TrimPrefix(filepath.Clean("/"+header.Name), "/")
	if header.Name == "" || r.have[header.Name] {
		return nil
	}
	r.have[header.Name] = true
	if header.Typeflag == tar.TypeDir {
		header.Name += "/"
	}
	if err := r.tar.WriteHeader(&header); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := io.Copy(r.tar, content)
	return err
}

func (r *rootfs) dir(name string, mode int64) error {
	return r.add(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}, nil)
}

func (r *rootfs) file(name, content string) error {
	return r.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}, strings.NewReader(content))
}

func (r *rootfs) program(name, source string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return r.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: info.Size()}, file)
}

func (r *rootfs) layer() (v1.Layer, error) {
	err := r.tar.Close()
	return static.NewLayer(r.buffer.Bytes(), types.OCIUncompressedLayer), err
}

// programLayer is one static program and nothing else.
func programLayer(path string) (v1.Layer, error) {
	r := newRootfs()
	if err := r.program(filepath.Base(path), path); err != nil {
		return nil, err
	}
	return r.layer()
}

// busyboxLayer is the machine's static busybox with a link for each applet.
func busyboxLayer() (v1.Layer, error) {
	const busybox = "/bin/busybox"
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return nil, err
	}
	r := newRootfs()
	err = errors.Join(
		r.dir("bin", 0o755), r.dir("etc", 0o755), r.dir("root", 0o700), r.dir("tmp", 0o1777), r.dir("var", 0o755), r.dir("home", 0o755),
		r.program("bin/busybox", busybox),
		r.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\nnginx:x:101:101::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"),
		r.file("etc/group", "root:x:0:\nwww-data:x:33:\nnginx:x:101:\nnogroup:x:65534:\n"),
	)
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" { // it is in its own list: that link would lead to itself
			err = errors.Join(err, r.add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox", Mode: 0o777}, nil))
		}
	}
	if err != nil {
		return nil, err
	}
	return r.layer()
}

const nginxConfig = `user nginx;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 256; }
http {
    include /etc/nginx/mime.types;
    access_log /dev/stdout;
    include /etc/nginx/conf.d/*.conf;
}
`

const nginxSite = `server {
    listen 80;
    location / { root /usr/share/nginx/html; index index.html; }
}
`

const nginxPage = `<!DOCTYPE html>
<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>
`

// nginxLayer is Debian's nginx, laid over busybox, with the configuration of the published image.
func nginxLayer() (v1.Layer, error) {
	r := newRootfs()
	err := errors.Join(
		r.file("etc/nginx/nginx.conf", nginxConfig),
		r.file("etc/nginx/conf.d/default.conf", nginxSite),
		r.file("usr/share/nginx/html/index.html", nginxPage),
		r.dir("run", 0o755), r.dir("var/log/nginx", 0o755), r.dir("var/lib/nginx", 0o755),
	)
	if err != nil {
		return nil, err
	}
	downloads, err := os.MkdirTemp("", "stsgrade-cluster-debs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(downloads)
	// apt would otherwise complain that its own user cannot write there.
	download := exec.Command("apt-get", append([]string{"-qq", "-o", "APT::Sandbox::User=root", "download"}, nginxPackages...)...)
	download.Dir, download.Stdout, download.Stderr = downloads, os.Stderr, os.Stderr
	if err := download.Run(); err != nil {
		return nil, fmt.Errorf("apt-get download: %w", err)
	}
	packages, err := filepath.Glob(filepath.Join(downloads, "*.deb"))
	if err != nil {
		return nil, err
	}
	slices.Sort(packages)
	for _, deb := range packages {
		if err := r.unpack(deb); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(deb), err)
		}
	}
	return r.layer()
}

// unpack adds the files of a Debian package, without its documentation. What is there already stays.
func (r *rootfs) unpack(deb string) error {
	cmd := exec.Command("dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	entries := tar.NewReader(bytes.NewReader(out))
	for {
		header, err := entries.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		path := strings.TrimPrefix(header.Name, "./")
		if strings.HasPrefix(path, "usr/share/") && !strings.HasPrefix(path, "usr/share/nginx") {
			continue
		}
		if err := r.add(*header, entries); err != nil {
			return err
		}
	}
}

// archive packs the files of a folder.
func archive(dir, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	writer := tar.NewWriter(file)
	if err := writer.AddFS(os.DirFS(dir)); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return file.Close()
}
