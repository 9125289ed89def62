package main

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/component-base/version"
)

const (
	nodeName         = "node-1"
	containerdSocket = "/run/containerd.sock"
	registryAddress  = "127.0.0.1:5000"
	volumesDir       = "/var/lib/stsgrade/volumes"
	sharedDir        = "/var/lib/stsgrade/shared" // volumes that each of several nodes reaches
)

// containerd: CNI and images from the state folder only, every registry answered by ours (registry.go).
//
// restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE (many containers and sandboxes) may not lower an
// OOM score; runc would fail with "can't get final child's PID from pipe". disable_apparmor: containerd would
// load a profile into the machine's kernel and leave it there.
const containerdConfig = `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "` + containerdSocket + `"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "` + insideState + `/config/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "` + insideState + `/config/registry"
`

// As "server" too: after its hosts, containerd asks the server, which is the true registry unless it is named.
const hostsConfig = `server = "http://` + registryAddress + `"
[host."http://` + registryAddress + `"]
  capabilities = ["pull", "resolve"]
`

// Pods are routed one by one (ptp) and not bridged: the answer of a pod on the same bridge would bypass the
// node, and so kube-proxy's translation of Service addresses, unless br_netfilter is loaded.
const cniConfig = `{"cniVersion": "0.4.0", "name": "stsgrade", "plugins": [{"type": "ptp", "ipMasq": false,
  "ipam": {"type": "host-local", "dataDir": "/run/ipam", "ranges": [$PODS],
           "routes": [$ALL]}}]}
`

// kubelet: many pods at once, so the limits that spare a production node are lifted (maxPods and all QPS).
//
// cgroupsPerQOS is off, and enforceNodeAllocatable with it: containers are limited each, and that is enough here.
// No eviction for a full disk, since the disk is memory; the threshold for memory must be above zero.
// resolvConf keeps the machine's own search domains out of the pods.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: ` + insideState + `/pki/ca.crt}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
clusterDomain: $DOMAIN
clusterDNS: ["$DNS"]
resolvConf: ` + insideState + `/config/resolv.conf
containerRuntimeEndpoint: unix://` + containerdSocket + `
volumePluginDir: /var/lib/kubelet/volume-plugins
evictionPressureTransitionPeriod: 1s
evictionHard: {imagefs.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", memory.available: "1Mi"}
imageGCHighThresholdPercent: 100
maxPods: 250
kubeAPIQPS: 1000
kubeAPIBurst: 2000
eventRecordQPS: 0
registryPullQPS: 0
serializeImagePulls: false
`

// Kubernetes 1.35 and later refuse cgroup v1 unless they are told.
const kubeletCgroupV1 = `failCgroupV1: false
`

// Of several nodes one can be lost, and is told from the others by the age of its lease: renewed each second.
const kubeletSeveral = `nodeLeaseDurationSeconds: 4
`

// Before Kubernetes 1.31, kube-proxy's nftables mode is behind a feature gate.
const proxyNFTables = `featureGates: {NFTablesProxyMode: true}
`

// kube-proxy: nftables mode keeps all in one table. The conntrack settings belong to the machine, not to us.
const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: ` + insideState + `/config/kube-proxy.kubeconfig, qps: 1000, burst: 2000}
clusterCIDR: $PODS
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {minSyncPeriod: 50ms}
`

const schedulerConfig = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: ` + insideState + `/config/kube-scheduler.kubeconfig, qps: 1000, burst: 2000}
`

// minorVersion is that of the Kubernetes in bin/node: the script run links its version into this program too.
func minorVersion() int {
	minor, err := strconv.Atoi(version.Get().Minor)
	if err != nil {
		panic("built without a version of Kubernetes, see tests/cluster/run")
	}
	return minor
}

// proxySettings is kube-proxy's configuration.
func proxySettings() string {
	settings := strings.ReplaceAll(proxyConfig, "$PODS", families(podNetwork, podNetwork6))
	if minorVersion() < 31 {
		return settings + proxyNFTables
	}
	return settings
}

// cniSettings gives each pod an address of each family from the node's own networks.
func (w *worker) cniSettings() string {
	subnet := func(of *net.IPNet) string { return fmt.Sprintf(`[{"subnet": %q}]`, of) }
	all := func(of string) string { return fmt.Sprintf(`{"dst": %q}`, of) }
	return strings.NewReplacer(
		"$PODS", families(subnet(w.pods()), subnet(w.pods6())),
		"$ALL", families(all("0.0.0.0/0"), all("::/0")),
	).Replace(cniConfig)
}

// domain is the cluster's DNS domain.
func domain() string {
	return cmp.Or(os.Getenv("STSGRADE_CLUSTER_DOMAIN"), "cluster.local")
}

// kubeletSettings is the kubelet's configuration with one of its settings replaced, "FIELD: VALUE", or as it is.
func kubeletSettings(replaced string) (string, error) {
	all := strings.NewReplacer("$DOMAIN", domain(), "$DNS", dnsAddress()).Replace(kubeletConfig)
	if !onlyCgroupV2() && minorVersion() >= 35 {
		all += kubeletCgroupV1
	}
	if nodeCount() > 1 {
		all += kubeletSeveral
	}
	if replaced == "" {
		return all, nil
	}
	field, _, _ := strings.Cut(replaced, ":")
	lines := strings.Split(all, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, field+": ") {
			lines[i] = replaced
			return strings.Join(lines, "\n"), nil
		}
	}
	return "", fmt.Errorf("the kubelet's configuration has no %q", field)
}

func (s slot) writeConfig() error {
	kubelet, err := kubeletSettings("")
	if err != nil {
		return err
	}
	for _, w := range s.workers() {
		if err := w.writeConfig(kubelet); err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
	}
	return nil
}

func (w *worker) writeConfig(kubelet string) error {
	for name, content := range map[string]string{
		"containerd.toml":              containerdConfig,
		"registry/_default/hosts.toml": hostsConfig,
		"cni/10-stsgrade.conflist":     w.cniSettings(),
		"kubelet.yaml":                 kubelet,
		"kube-proxy.yaml":              proxySettings(),
		"kube-scheduler.yaml":          schedulerConfig,
		"resolv.conf":                  "nameserver " + dnsAddress() + "\n",
	} {
		if err := os.WriteFile(filepath.Join(w.configDir(), name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
