package main

import (
	"fmt"
	"os"
	"time"
)

// say prints one line of progress. Standard output belongs to CMD alone.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "cluster: "+format+"\n", args...)
}

// since is a duration as people read it.
func since(start time.Time) string {
	return fmt.Sprintf("%.1f s", time.Since(start).Seconds())
}

// await polls ready until it returns nil; at the deadline it fails with the last reason ready gave.
// alive, where given, ends the wait early: nothing comes up once its component is dead.
func await(what string, limit time.Duration, alive func() error, ready func() error) error {
	const patience = 10 * time.Second
	deadline, remark := time.Now().Add(limit), time.Now().Add(patience)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if alive != nil {
			if dead := alive(); dead != nil {
				return fmt.Errorf("waiting for %s: %w", what, dead)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not come up in %s: %w", what, limit, err)
		}
		if time.Now().After(remark) {
			say("still waiting for %s: %v", what, err)
			remark = time.Now().Add(patience)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
