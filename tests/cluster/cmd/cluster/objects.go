package main

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// objects.yaml is what a new cluster holds beyond what Kubernetes itself makes: storage classes and CoreDNS.
//
//go:embed objects.yaml
var objects string

// resources maps the kinds of objects.yaml to their resources: asking the API server would take a second.
var resources = map[string]schema.GroupVersionResource{
	"ServiceAccount":     {Version: "v1", Resource: "serviceaccounts"},
	"ConfigMap":          {Version: "v1", Resource: "configmaps"},
	"Service":            {Version: "v1", Resource: "services"},
	"ClusterRole":        {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"ClusterRoleBinding": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"Deployment":         {Group: "apps", Version: "v1", Resource: "deployments"},
	"StorageClass":       {Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"},
}

// dnsApart gives each of several nodes a pod of CoreDNS, so that the DNS outlives a node.
const dnsApart = `      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {k8s-app: kube-dns}}}
`

// createObjects creates what objects.yaml has. Repeated, it creates what is missing.
func createObjects(ctx context.Context, client dynamic.Interface) error {
	ttl := cmp.Or(os.Getenv("STSGRADE_CLUSTER_DNS_TTL"), "5")
	affinity := ""
	if nodeCount() > 1 {
		affinity = dnsApart
	}
	text := strings.NewReplacer("$TTL", ttl, "$DOMAIN", domain(),
		"$DNS_IP", strconv.Quote(dnsAddress()), "$DNS_REPLICAS", strconv.Itoa(nodeCount()), "      $DNS_AFFINITY\n", affinity).Replace(objects)
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); err != nil {
			if err.Error() == "EOF" {
				return nil
			}
			return err
		}
		resource, known := resources[object.GetKind()]
		if !known {
			return fmt.Errorf("no resource known for kind %s", object.GetKind())
		}
		var target dynamic.ResourceInterface = client.Resource(resource)
		if namespace := object.GetNamespace(); namespace != "" {
			target = client.Resource(resource).Namespace(namespace)
		}
		if _, err := target.Create(ctx, object, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}

// nodeReady returns nil once pods can be scheduled to the node.
func nodeReady(ctx context.Context, client kubernetes.Interface, name string) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("it has the taint %s", node.Spec.Taints[0].Key)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			if condition.Status == corev1.ConditionTrue {
				return nil
			}
			return fmt.Errorf("%s: %s", condition.Reason, condition.Message)
		}
	}
	return fmt.Errorf("it has no condition Ready")
}

// setPodNetwork tells clients which addresses a node's pods have. A node cannot be given another network later.
func setPodNetwork(ctx context.Context, client kubernetes.Interface, w *worker) error {
	all := families(strconv.Quote(w.pods().String()), strconv.Quote(w.pods6().String()))
	patch := fmt.Sprintf(`{"spec": {"podCIDR": %q, "podCIDRs": [%s]}}`, primary(w.pods().String(), w.pods6().String()), all)
	_, err := client.CoreV1().Nodes().Patch(ctx, w.name(), types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// dnsServes returns nil once so many pods of CoreDNS are ready.
func dnsServes(ctx context.Context, client kubernetes.Interface, pods int) error {
	deployment, err := client.AppsV1().Deployments("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
	if err == nil && int(deployment.Status.ReadyReplicas) < pods {
		err = fmt.Errorf("%d of %d pods are ready", deployment.Status.ReadyReplicas, pods)
	}
	return err
}

// scaleDNS sets CoreDNS's replicas and returns at once.
func scaleDNS(ctx context.Context, client kubernetes.Interface, replicas int) error {
	patch := fmt.Sprintf(`{"spec": {"replicas": %d}}`, replicas)
	_, err := client.AppsV1().Deployments("kube-system").Patch(ctx, "coredns", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// dnsPods counts CoreDNS's pods, those that are on their way out included.
func dnsPods(ctx context.Context, client kubernetes.Interface) (int, error) {
	pods, err := client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil {
		return 0, err
	}
	return len(pods.Items), nil
}

// describeDNS says in what state CoreDNS's pods are, for a message.
func describeDNS(ctx context.Context, client kubernetes.Interface) string {
	pods, err := client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil {
		return err.Error()
	}
	var states []string
	for _, pod := range pods.Items {
		for _, condition := range pod.Status.Conditions {
			if condition.Status != corev1.ConditionTrue {
				states = append(states, fmt.Sprintf("not %s: %s %s", condition.Type, condition.Reason, condition.Message))
			}
		}
		for _, container := range pod.Status.ContainerStatuses {
			if waiting := container.State.Waiting; waiting != nil {
				states = append(states, waiting.Reason+" "+waiting.Message)
			}
		}
	}
	return fmt.Sprintf("%d pods; %s", len(pods.Items), strings.Join(states, "; "))
}

// setDefaultClass makes the class "standard" the default one, or not.
func setDefaultClass(ctx context.Context, client kubernetes.Interface, isDefault bool) error {
	value := "null"
	if isDefault {
		value = `"true"`
	}
	patch := fmt.Sprintf(`{"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": %s}}}`, value)
	_, err := client.StorageV1().StorageClasses().Patch(ctx, "standard", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}
