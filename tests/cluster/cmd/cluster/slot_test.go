package main

import "testing"

// Catches a folder of somebody else that is removed as root, because a file in a folder that anybody may write to names it.
func TestOnlyStateFoldersAreRemoved(t *testing.T) {
	s := slot{number: 5}
	for path, expected := range map[string]bool{
		"/tmp/stsgrade-cluster-5-1796041353873854076": true,
		"":                             false,
		"/home":                        false,
		"/tmp/stsgrade-cluster-6-17":   false,
		"/tmp/stsgrade-cluster-5-":     false,
		"stsgrade-cluster-5-17":        false,
		"/tmp/stsgrade-cluster-5-17/":  false,
		"/x/../stsgrade-cluster-5-17":  false,
		"/home/stsgrade-cluster-5-1/a": false,
	} {
		if s.isState(path) != expected {
			t.Errorf("%q: %t", path, !expected)
		}
	}
}
