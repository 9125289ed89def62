// Command noshell is the whole content of an image without a shell, as distroless images are: a web
// server on port 80 that keeps its identity in /data/id, written at the first start on a volume and
// served ever after. SIGTERM ends it at once.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

const idFile = "/data/id"

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		os.Exit(0)
	}()
	if err := claimID(); err != nil {
		log.Printf("cannot write %s: %v", idFile, err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		id, err := os.ReadFile(idFile)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(id)
	})
	log.Fatal(http.ListenAndServe(":80", nil))
}

// claimID writes the hostname to idFile unless an earlier pod on the same volume has.
func claimID() error {
	if err := os.MkdirAll("/data", 0o777); err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(idFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer file.Close()
	_, err = fmt.Fprintln(file, name)
	return err
}
