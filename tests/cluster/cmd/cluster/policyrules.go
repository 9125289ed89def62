package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// policyTable is where a node's rules for NetworkPolicies are. They see a pod's own address, and never a Service's:
// kube-proxy has translated it before.
const policyTable = "table inet stsgrade_policy"

// clusterPolicies is what the rules of a node follow from: a pure function of these.
type clusterPolicies struct {
	policies   []*networkingv1.NetworkPolicy
	pods       []*corev1.Pod
	namespaces []*corev1.Namespace
}

// A direction is one of the two that a policy speaks of.
type direction struct {
	kind  networkingv1.PolicyType
	chain string
	own   string // where a packet has the address of the pod that the policy selects
	peer  string // where it has the address of the other side
}

var directions = []direction{
	{networkingv1.PolicyTypeIngress, "ingress", "daddr", "saddr"},
	{networkingv1.PolicyTypeEgress, "egress", "saddr", "daddr"},
}

// A policyRule is an ingress or an egress rule of a policy: they have the same fields by other names.
type policyRule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// rules is the table of a node: for its own pods only, since each other node has such a table for its own.
//
// A pod that a policy selects for a direction gets only what some policy allows, all else is dropped. Pods that the
// same policies select share a chain. What comes from the node itself (probes) passes no hook of these. A pod's
// traffic to its node does (input): a pod that may not go out does not reach the node either.
func (c *clusterPolicies) rules(node string) string {
	var text strings.Builder
	text.WriteString("add " + policyTable + "\ndelete " + policyTable + "\n" + policyTable + ` {
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		jump egress
		jump ingress
	}
	chain input {
		type filter hook input priority filter; policy accept;
		ct state established,related accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
		jump egress
	}
`)
	pods := c.byAddress()
	var addresses []netip.Addr
	for address, pod := range pods {
		if pod.Spec.NodeName == node {
			addresses = append(addresses, address)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	for _, way := range directions {
		chains := map[string]string{} // by the names of the policies
		jumps := map[string][]string{}
		selves := map[string][]string{}
		for _, address := range addresses {
			selecting := c.selecting(pods[address], way)
			if len(selecting) == 0 {
				continue
			}
			key := policyNames(selecting)
			if chains[key] == "" {
				chains[key] = fmt.Sprintf("%s-%d", way.chain, len(chains)+1)
				fmt.Fprintf(&text, "\tchain %s { # %s\n", chains[key], key)
				for _, match := range c.allowed(selecting, way, pods) {
					fmt.Fprintf(&text, "\t\t%s\n", strings.TrimSpace(match+" return"))
				}
				text.WriteString("\t\tdrop\n\t}\n")
			}
			family := familyOf(address)
			jumps[family] = append(jumps[family], fmt.Sprintf("%s : jump %s", address, chains[key]))
			selves[family] = append(selves[family], fmt.Sprintf("%[1]s . %[1]s", address))
		}
		fmt.Fprintf(&text, "\tchain %s {\n", way.chain)
		for _, family := range sortedKeys(jumps) {
			// A pod reaches itself, by a Service too.
			fmt.Fprintf(&text, "\t\t%[1]s saddr . %[1]s daddr { %[2]s } return\n", family, strings.Join(selves[family], ", "))
			fmt.Fprintf(&text, "\t\t%s %s vmap { %s }\n", family, way.own, strings.Join(jumps[family], ", "))
		}
		text.WriteString("\t}\n")
	}
	text.WriteString("}\n")
	return text.String()
}

// byAddress finds pods by their addresses. Two pods have the same for a moment when one is on its way out: the newer
// one has it.
func (c *clusterPolicies) byAddress() map[netip.Addr]*corev1.Pod {
	pods := slices.Clone(c.pods)
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
	})
	found := map[netip.Addr]*corev1.Pod{}
	for _, pod := range pods {
		if pod.Spec.HostNetwork || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		for _, it := range pod.Status.PodIPs {
			address, err := netip.ParseAddr(it.IP)
			if err != nil {
				continue
			}
			if other := found[address]; other == nil || other.DeletionTimestamp != nil || pod.DeletionTimestamp == nil {
				found[address] = pod
			}
		}
	}
	return found
}

// selecting lists the policies that select a pod for a direction, by name.
func (c *clusterPolicies) selecting(pod *corev1.Pod, way direction) []*networkingv1.NetworkPolicy {
	var found []*networkingv1.NetworkPolicy
	for _, policy := range c.policies {
		if policy.Namespace == pod.Namespace && slices.Contains(policy.Spec.PolicyTypes, way.kind) && selects(&policy.Spec.PodSelector, pod.Labels) {
			found = append(found, policy)
		}
	}
	slices.SortFunc(found, func(a, b *networkingv1.NetworkPolicy) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// policyNames is NAMESPACE/NAME+NAME of policies that select the same pod.
func policyNames(policies []*networkingv1.NetworkPolicy) string {
	var names []string
	for _, policy := range policies {
		names = append(names, policy.Name)
	}
	return policies[0].Namespace + "/" + strings.Join(names, "+")
}

// allowed lists what the rules of these policies allow, each as nft matches it.
func (c *clusterPolicies) allowed(policies []*networkingv1.NetworkPolicy, way direction, pods map[netip.Addr]*corev1.Pod) []string {
	var matches []string
	for _, policy := range policies {
		for _, rule := range rulesOf(policy, way) {
			for _, peer := range c.peers(policy.Namespace, rule.peers, way, pods) {
				for _, port := range matchPorts(rule.ports, pods) {
					matches = append(matches, strings.TrimSpace(peer+" "+port))
				}
			}
		}
	}
	return matches
}

func rulesOf(policy *networkingv1.NetworkPolicy, way direction) []policyRule {
	var rules []policyRule
	if way.kind == networkingv1.PolicyTypeIngress {
		for _, rule := range policy.Spec.Ingress {
			rules = append(rules, policyRule{rule.From, rule.Ports})
		}
		return rules
	}
	for _, rule := range policy.Spec.Egress {
		rules = append(rules, policyRule{rule.To, rule.Ports})
	}
	return rules
}

// peers matches the other sides of a rule in a namespace. Without any it is everybody, which is the empty match.
func (c *clusterPolicies) peers(namespace string, peers []networkingv1.NetworkPolicyPeer, way direction, pods map[netip.Addr]*corev1.Pod) []string {
	if len(peers) == 0 {
		return []string{""}
	}
	var matches []string
	found := map[netip.Addr]bool{}
	for _, peer := range peers {
		among := c.namespacesOf(namespace, peer)
		for address, pod := range pods {
			if among[pod.Namespace] && (peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)) {
				found[address] = true
			}
		}
	}
	addresses := map[string][]string{} // by family
	for address := range found {
		family := familyOf(address)
		addresses[family] = append(addresses[family], address.String())
	}
	for _, family := range sortedKeys(addresses) {
		slices.Sort(addresses[family])
		matches = append(matches, fmt.Sprintf("%s %s { %s }", family, way.peer, strings.Join(addresses[family], ", ")))
	}
	for _, peer := range peers {
		if peer.IPBlock == nil {
			continue
		}
		block, err := netip.ParsePrefix(peer.IPBlock.CIDR)
		if err != nil {
			continue // one that says nothing of any address here
		}
		field := familyOf(block.Addr()) + " " + way.peer
		match := field + " " + block.Masked().String()
		for _, cidr := range peer.IPBlock.Except {
			if except, err := netip.ParsePrefix(cidr); err == nil {
				match += " " + field + " != " + except.Masked().String()
			}
		}
		matches = append(matches, match)
	}
	return matches
}

// namespacesOf finds the namespaces whose pods a policy in the namespace can mean by a peer: none for an ipBlock.
func (c *clusterPolicies) namespacesOf(namespace string, peer networkingv1.NetworkPolicyPeer) map[string]bool {
	if peer.NamespaceSelector == nil {
		return map[string]bool{namespace: peer.PodSelector != nil}
	}
	found := map[string]bool{}
	for _, it := range c.namespaces {
		found[it.Name] = selects(peer.NamespaceSelector, it.Labels)
	}
	return found
}

// matchPorts matches the ports of a rule. Without any it is each of each protocol, which is the empty match.
func matchPorts(ports []networkingv1.NetworkPolicyPort, pods map[netip.Addr]*corev1.Pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var matches []string
	for _, port := range ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		name := strings.ToLower(string(protocol))
		switch {
		case port.Port == nil:
			matches = append(matches, "meta l4proto "+name)
		case port.Port.StrVal != "":
			matches = append(matches, namedPort(port.Port.StrVal, protocol, pods)...)
		case port.EndPort != nil:
			matches = append(matches, fmt.Sprintf("%s dport %d-%d", name, port.Port.IntVal, *port.EndPort))
		default:
			matches = append(matches, fmt.Sprintf("%s dport %d", name, port.Port.IntVal))
		}
	}
	return matches
}

// namedPort matches what goes to a port that the receiving pod gives this name.
func namedPort(name string, protocol corev1.Protocol, pods map[netip.Addr]*corev1.Pod) []string {
	targets := map[string][]string{} // by family
	for address, pod := range pods {
		for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			for _, port := range container.Ports {
				if port.Name == name && port.Protocol == protocol {
					family := familyOf(address)
					targets[family] = append(targets[family], fmt.Sprintf("%s . %d", address, port.ContainerPort))
				}
			}
		}
	}
	var matches []string
	for _, family := range sortedKeys(targets) {
		slices.Sort(targets[family])
		list := strings.Join(slices.Compact(targets[family]), ", ")
		matches = append(matches, fmt.Sprintf("%s daddr . %s dport { %s }", family, strings.ToLower(string(protocol)), list))
	}
	return matches
}

// selects says whether a selector selects these labels. The API server has no selector that is not valid.
func selects(selector *metav1.LabelSelector, set map[string]string) bool {
	it, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && it.Matches(labels.Set(set))
}

// familyOf is how nft calls the family of an address.
func familyOf(address netip.Addr) string {
	if address.Is4() {
		return "ip"
	}
	return "ip6"
}
