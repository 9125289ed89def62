package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// A pod with the label app, which is its name, and the port 8080 by the name web.
func testPod(namespace, name, node string, addresses ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}}}
	pod.Spec.NodeName = node
	pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}}}
	pod.Status.Phase = corev1.PodRunning
	for _, address := range addresses {
		pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: address})
	}
	return pod
}

// testCluster has the namespaces one and two, with a policy by the name "it" in one.
func testCluster(t *testing.T, spec string, pods ...*corev1.Pod) *clusterPolicies {
	t.Helper()
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "one", Name: "it"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
		t.Fatal(err)
	}
	cluster := &clusterPolicies{policies: []*networkingv1.NetworkPolicy{policy}, pods: pods}
	for _, name := range []string{"one", "two"} {
		cluster.namespaces = append(cluster.namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}})
	}
	return cluster
}

// chain gives the lines of a chain of a node's rules, without the comment on its policies.
func chain(rules, name string) []string {
	_, after, found := strings.Cut(rules, "\tchain "+name+" {")
	if !found {
		return nil
	}
	_, after, _ = strings.Cut(after, "\n")
	inside, _, _ := strings.Cut(after, "\t}\n")
	var lines []string
	for line := range strings.Lines(inside) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func expect(t *testing.T, what string, actual, expected []string) {
	t.Helper()
	if strings.Join(actual, "\n") != strings.Join(expected, "\n") {
		t.Errorf("%s:\n%s\nexpected:\n%s", what, strings.Join(actual, "\n"), strings.Join(expected, "\n"))
	}
}

// Catches a peer or a port that is read otherwise than Kubernetes means it.
func TestWhatAPolicyAllows(t *testing.T) {
	pods := []*corev1.Pod{
		testPod("one", "a", "node-1", "10.0.0.1"), testPod("one", "b", "node-1", "10.0.0.2"),
		testPod("two", "a", "node-1", "10.0.0.3"), testPod("two", "b", "node-2", "10.0.0.4"),
	}
	for _, test := range []struct {
		name, rule string
		expected   []string
	}{
		{"nothing", "[]", nil},
		{"everything", "[{}]", []string{"return"}},
		{"the namespace itself", "[{to: [{podSelector: {}}]}]", []string{"ip daddr { 10.0.0.1, 10.0.0.2 } return"}},
		{"some of its pods", "[{to: [{podSelector: {matchLabels: {app: b}}}]}]", []string{"ip daddr { 10.0.0.2 } return"}},
		{"another namespace", "[{to: [{namespaceSelector: {matchLabels: {name: two}}}]}]", []string{"ip daddr { 10.0.0.3, 10.0.0.4 } return"}},
		{"some pods of any namespace", "[{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: a}}}]}]", []string{"ip daddr { 10.0.0.1, 10.0.0.3 } return"}},
		{"nobody", "[{to: [{podSelector: {matchLabels: {app: c}}}]}]", nil},
		{"addresses", "[{to: [{ipBlock: {cidr: 10.1.2.3/8, except: [10.2.0.0/16, 10.3.0.0/16]}}, {ipBlock: {cidr: 'fd00::/8'}}]}]", []string{
			"ip daddr 10.0.0.0/8 ip daddr != 10.2.0.0/16 ip daddr != 10.3.0.0/16 return",
			"ip6 daddr fd00::/8 return",
		}},
		{"ports", "[{ports: [{port: 80}, {port: 53, protocol: UDP}, {port: 90, endPort: 99}, {protocol: SCTP}]}]", []string{
			"tcp dport 80 return", "udp dport 53 return", "tcp dport 90-99 return", "meta l4proto sctp return",
		}},
		{"a named port", "[{ports: [{port: web}, {port: web, protocol: UDP}, {port: other}]}]", []string{
			"ip daddr . tcp dport { 10.0.0.1 . 8080, 10.0.0.2 . 8080, 10.0.0.3 . 8080, 10.0.0.4 . 8080 } return",
		}},
		{"each peer on each port", "[{to: [{podSelector: {}}, {ipBlock: {cidr: 1.2.3.4/32}}], ports: [{port: 1}, {port: 2}]}]", []string{
			"ip daddr { 10.0.0.1, 10.0.0.2 } tcp dport 1 return", "ip daddr { 10.0.0.1, 10.0.0.2 } tcp dport 2 return",
			"ip daddr 1.2.3.4/32 tcp dport 1 return", "ip daddr 1.2.3.4/32 tcp dport 2 return",
		}},
	} {
		egress := testCluster(t, "{podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: "+test.rule+"}", pods...)
		rules := egress.rules("node-1")
		expect(t, test.name, chain(rules, "egress-1"), append(test.expected, "drop"))
		expect(t, test.name, chain(rules, "egress"), []string{"ip saddr . ip daddr { 10.0.0.1 . 10.0.0.1 } return", "ip saddr vmap { 10.0.0.1 : jump egress-1 }"})
		expect(t, test.name, chain(rules, "ingress"), nil)

		ingress := testCluster(t, "{podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress], ingress: "+strings.ReplaceAll(test.rule, "to:", "from:")+"}", pods...)
		rules = ingress.rules("node-1")
		var expected []string
		for _, match := range test.expected {
			// The receiver of a named port is the same in both directions.
			if !strings.Contains(match, " . ") {
				match = strings.ReplaceAll(match, "daddr", "saddr")
			}
			expected = append(expected, match)
		}
		expect(t, test.name, chain(rules, "ingress-1"), append(expected, "drop"))
		expect(t, test.name, chain(rules, "ingress"), []string{"ip saddr . ip daddr { 10.0.0.1 . 10.0.0.1 } return", "ip daddr vmap { 10.0.0.1 : jump ingress-1 }"})
		expect(t, test.name, chain(rules, "egress"), nil)
	}
}

// Catches a pod that is isolated on a node where it is not, though it is on none or shares the node's address, or by
// the address of one that has ended.
func TestWhomAPolicyIsolates(t *testing.T) {
	onNode := testPod("one", "host", "node-1", "10.0.0.9")
	onNode.Spec.HostNetwork = true
	ended := testPod("one", "ended", "node-1", "10.0.0.8")
	ended.Status.Phase = corev1.PodSucceeded
	going := testPod("two", "going", "node-1", "10.0.0.2")
	going.DeletionTimestamp = &metav1.Time{}
	cluster := testCluster(t, "{podSelector: {}, policyTypes: [Ingress, Egress]}",
		testPod("one", "b", "node-1", "10.0.0.2", "fd00::2"), testPod("one", "a", "node-1", "10.0.0.1"), testPod("one", "c", "node-2", "10.0.0.3"),
		testPod("one", "starting", "node-1"), testPod("two", "other", "node-1", "10.0.0.4"), onNode, ended, going)
	rules := cluster.rules("node-1")
	expect(t, "the first node", chain(rules, "egress"), []string{
		"ip saddr . ip daddr { 10.0.0.1 . 10.0.0.1, 10.0.0.2 . 10.0.0.2 } return",
		"ip saddr vmap { 10.0.0.1 : jump egress-1, 10.0.0.2 : jump egress-1 }",
		"ip6 saddr . ip6 daddr { fd00::2 . fd00::2 } return",
		"ip6 saddr vmap { fd00::2 : jump egress-1 }",
	})
	expect(t, "the second node", chain(cluster.rules("node-2"), "ingress"), []string{
		"ip saddr . ip daddr { 10.0.0.3 . 10.0.0.3 } return",
		"ip daddr vmap { 10.0.0.3 : jump ingress-1 }",
	})
	expect(t, "no node", chain(cluster.rules("node-3"), "ingress"), nil)
}

// Catches policies of which one forbids what another allows, and pods that get a chain of other policies.
func TestPoliciesAddUp(t *testing.T) {
	cluster := testCluster(t, "{podSelector: {}, policyTypes: [Egress]}", testPod("one", "a", "node-1", "10.0.0.1"), testPod("one", "b", "node-1", "10.0.0.2"))
	more := cluster.policies[0].DeepCopy()
	more.Name = "dns"
	more.Spec.PodSelector.MatchLabels = map[string]string{"app": "b"}
	if err := yaml.Unmarshal([]byte("[{ports: [{port: 53, protocol: UDP}]}]"), &more.Spec.Egress); err != nil {
		t.Fatal(err)
	}
	cluster.policies = append(cluster.policies, more)
	rules := cluster.rules("node-1")
	expect(t, "both pods", chain(rules, "egress")[1:], []string{"ip saddr vmap { 10.0.0.1 : jump egress-1, 10.0.0.2 : jump egress-2 }"})
	expect(t, "the one", chain(rules, "egress-1"), []string{"drop"})
	expect(t, "the other", chain(rules, "egress-2"), []string{"udp dport 53 return", "drop"})
}
