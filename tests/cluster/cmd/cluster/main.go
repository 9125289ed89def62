// Command cluster runs a Kubernetes for the length of one command and leaves nothing behind.
//
//	cluster images DIR     makes the container images (once, at build time)
//	cluster run CMD...     starts a cluster, runs CMD, takes the cluster down
//	cluster ctl VERB       asks a running cluster for something; see ctl.go
//
// More forms are its own: "run" starts "init" as PID 1 of new namespaces (namespaces.go), and "init" starts "node",
// which brings the components up (node.go). For each further node, "node" starts "worker", which holds that node's
// namespaces, and its components by "enter" (workers.go). Everything inside dies with "init".
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

func main() {
	if len(os.Args) < 3 {
		usage()
	}
	var err error
	switch verb, args := os.Args[1], os.Args[2:]; verb {
	case "images":
		err = buildImages(args[0])
	case "run":
		os.Exit(run(args))
	case "ctl":
		err = control(args)
	case "init":
		err = initMain(insideArgs(args))
	case "node":
		err = nodeMain(insideArgs(args))
	case "worker":
		index, _ := strconv.Atoi(args[len(args)-1])
		err = workerMain(&worker{slot: insideArgs(args[:len(args)-1]), index: index})
	case "enter":
		err = enterMain(args)
	default:
		usage()
	}
	if err != nil {
		say("%v", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: cluster run CMD [ARG...] | ctl VERB [ARG] | images DIR")
	os.Exit(2)
}

// insideArgs reads the arguments that run hands to init and init to node.
func insideArgs(args []string) slot {
	number, err := strconv.Atoi(args[0])
	if err != nil || len(args) != 3 {
		usage()
	}
	return slot{number: number, state: args[1], build: args[2]}
}

// buildDir is where the build put bin/ and images/: the folder above this program's own.
func buildDir() (string, error) {
	exe, err := os.Executable()
	return filepath.Dir(filepath.Dir(exe)), err
}
