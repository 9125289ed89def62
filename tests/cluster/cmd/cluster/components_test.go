package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Catches a cluster that goes on without its scheduler, or that starts again what a test has stopped.
func TestWhatEndsByItselfIsStartedAgain(t *testing.T) {
	folder := t.TempDir()
	starts := filepath.Join(folder, "starts")
	count := func() int {
		content, err := os.ReadFile(starts)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return bytes.Count(content, []byte("\n"))
	}
	// It runs for good from its third start on.
	script := fmt.Sprintf("echo start >>%s; [ $(grep -c . %s) -ge 3 ] && exec sleep 1000000; exit 1", starts, starts)
	c := &component{name: "component", args: []string{"sh", "-c", script}, log: filepath.Join(folder, "log")}
	c.keepRunning()
	t.Cleanup(func() { c.stop() })
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	running := func() error {
		if count() < 3 {
			return fmt.Errorf("%d starts", count())
		}
		return c.alive()
	}
	if err := await("the third start", time.Minute, nil, running); err != nil {
		t.Fatal(err)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	ended := c.cmd
	c.startAgain(ended)
	if c.cmd != ended || count() != 3 {
		t.Errorf("it was stopped, and there were %d starts", count())
	}
}
