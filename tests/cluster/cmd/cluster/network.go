package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

// Inside the private network namespace nobody else's addresses count: these are the same in each run.
const (
	podNetwork     = "10.88.0.0/16"
	serviceNetwork = "10.96.0.0/16"
	serviceIP      = "10.96.0.1"
	dnsIP          = "10.96.0.10"
	innerLink      = "node0"
)

// connect makes the veth pair between this machine and the network namespace of process pid.
func (s slot) connect(pid int) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = s.veth()
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: innerLink, PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("making the network link %s: %w", s.veth(), err)
	}
	if err := netlink.AddrAdd(pair, &netlink.Addr{IPNet: network(s.outerIP())}); err != nil {
		return err
	}
	return netlink.LinkSetUp(pair)
}

// setUpLinks waits for the inner end of the veth pair and configures the namespace.
//
// There is no default route: nothing leaves the cluster, and what tries fails at once instead of hanging. The
// route for services leads nowhere; it only lets the node's own packets to them reach kube-proxy's rules.
func setUpLinks(own *worker) (netlink.Link, error) {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return nil, err
	}
	var link netlink.Link
	err = await("the network link", 10*time.Second, nil, func() (err error) {
		link, err = netlink.LinkByName(innerLink)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: network(own.ip())}); err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, err
	}
	_, services, err := net.ParseCIDR(serviceNetwork)
	if err != nil {
		return nil, err
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: services, Scope: netlink.SCOPE_LINK}); err != nil {
		return nil, err
	}
	if hasSix() {
		if err := setUpLink6(link, own); err != nil {
			return nil, fmt.Errorf("IPv6: %w", err)
		}
	}
	return link, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// cutTable drops everything that passes the veth pair, in both directions: a client outside sees its connections
// fall silent, as when a cable is pulled, while everything inside goes on.
const cutTable = "table inet stsgrade_cut"

func (n *node) cut() error {
	n.isCut.Store(true)
	return n.workers[0].nft("add " + cutTable + "\ndelete " + cutTable + "\n" + cutTable + ` {
	chain in { type filter hook input priority -200; iifname ` + innerLink + ` drop; }
	chain out { type filter hook output priority -200; oifname ` + innerLink + ` drop; }
}`)
}

func (n *node) heal() error {
	n.isCut.Store(false)
	return n.workers[0].nft("add " + cutTable + "\ndelete " + cutTable)
}

// unsentTable ends what a dead API server's kernel still tries to send out, at its next attempt.
const unsentTable = "table inet stsgrade_unsent"

// dropUnsent makes sure that what a dead API server had sent into a cut cable never arrives. The kernel keeps
// sending it after the process is gone, so that a client would get it all, in order, once the cable is healed.
func (n *node) dropUnsent(ctx context.Context) error {
	if !n.isCut.Load() {
		return nil
	}
	if err := n.workers[0].nft(unsentTable + " {\n\tchain out { type filter hook output priority -300; oifname " + innerLink + " tcp sport 6443 reject with tcp reset; }\n}"); err != nil {
		return err
	}
	awaited := await("the end of what the API server had sent", time.Minute, ctx.Err, func() error {
		sockets, err := unsent()
		if err == nil && len(sockets) > 0 {
			err = fmt.Errorf("%d connections are left: %s", len(sockets), strings.Join(sockets, ", "))
		}
		return err
	})
	return errors.Join(awaited, n.workers[0].nft("delete "+unsentTable))
}

// unsent lists the connections of port 6443 that still have something to send, by their far ends.
func unsent() ([]string, error) {
	const port, established, finWait1, lastAck, closing = ":192B", "01", "04", "09", "0B"
	var found []string
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(string(content), "\n") {
			fields := strings.Fields(line)
			if len(fields) > 3 && strings.HasSuffix(fields[1], port) && slices.Contains([]string{established, finWait1, lastAck, closing}, fields[3]) {
				found = append(found, fields[2])
			}
		}
	}
	return found, nil
}

// nft loads rules on the node.
func (w *worker) nft(rules string) error {
	command := w.enter("nft", "-f", "-")
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(rules + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
