package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// policyPause is the least time between two changes of a node's rules.
const policyPause = 20 * time.Millisecond

// enforcePolicies keeps each node's rules (policyrules.go) as the NetworkPolicies demand. It returns when the first
// rules stand, and goes on as long as the process lives; its log goes where klog's does.
func enforcePolicies(ctx context.Context, client kubernetes.Interface, workers []*worker) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	policies := factory.Networking().V1().NetworkPolicies()
	pods := factory.Core().V1().Pods()
	namespaces := factory.Core().V1().Namespaces()

	changed := make(chan struct{}, 1)
	notify := func(any) {
		select {
		case changed <- struct{}{}:
		default: // it will be looked at already
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: notify, UpdateFunc: func(_, it any) { notify(it) }, DeleteFunc: notify}
	for _, informer := range []cache.SharedIndexInformer{policies.Informer(), pods.Informer(), namespaces.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("no list of %s", kind)
		}
	}

	loaded := map[string]string{} // by node
	enforce := func() error {
		var known clusterPolicies
		var err error
		if known.policies, err = policies.Lister().List(labels.Everything()); err != nil {
			return err
		}
		if known.pods, err = pods.Lister().List(labels.Everything()); err != nil {
			return err
		}
		if known.namespaces, err = namespaces.Lister().List(labels.Everything()); err != nil {
			return err
		}
		// What one node refuses leaves the others their rules.
		var refused error
		for _, w := range workers {
			rules := known.rules(w.name())
			if loaded[w.name()] == rules {
				continue
			}
			if err := w.nft(rules); err != nil {
				refused = errors.Join(refused, fmt.Errorf("the NetworkPolicies of %s: %w", w.name(), err))
				continue
			}
			loaded[w.name()] = rules
		}
		return refused
	}
	if err := enforce(); err != nil {
		return err
	}
	go func() {
		for range changed {
			if err := enforce(); err != nil {
				say("%v", err)
				klog.ErrorS(err, "NetworkPolicies are not enforced")
				time.Sleep(time.Second)
				notify(nil)
			}
			time.Sleep(policyPause)
		}
	}()
	return nil
}
