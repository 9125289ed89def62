package main

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// ipsVariable is which addresses pods, Services and nodes have: of IPv4, "dual" for IPv6 besides, or "six" for
	// IPv6 alone.
	ipsVariable = "STSGRADE_CLUSTER_IPS"

	podNetwork6     = "fd00:88::/48"
	serviceNetwork6 = "fd00:96::/108"
	serviceIP6      = "fd00:96::1"
	dnsIP6          = "fd00:96::a"
)

func isDual() bool     { return os.Getenv(ipsVariable) == "dual" }
func isSixAlone() bool { return os.Getenv(ipsVariable) == "six" }

// hasSix is whether there are addresses of IPv6.
func hasSix() bool { return isDual() || isSixAlone() }

func checkIPs() error {
	if value := os.Getenv(ipsVariable); value != "" && !hasSix() {
		return fmt.Errorf("%s is dual, six or not set, not %q", ipsVariable, value)
	}
	return nil
}

// families joins what is for IPv4 with what is for IPv6, as far as there are both.
func families(four, six string) string {
	if isDual() {
		return four + "," + six
	}
	return primary(four, six)
}

// primary is what is for the family that Services have unless they ask for another.
func primary(four, six string) string {
	if isSixAlone() {
		return six
	}
	return four
}

// dnsAddress is the DNS server's.
func dnsAddress() string { return primary(dnsIP, dnsIP6) }

// As gateway, ip and pods, of IPv6.
func (w *worker) gateway6() net.IP { return net.ParseIP(fmt.Sprintf("fd00:87:%d::1", w.index)) }
func (w *worker) ip6() net.IP      { return net.ParseIP(fmt.Sprintf("fd00:87:%d::2", w.index)) }
func (w *worker) pods6() *net.IPNet {
	return &net.IPNet{IP: net.ParseIP(fmt.Sprintf("fd00:88:0:%d::", w.index)), Mask: net.CIDRMask(64, 128)}
}

// addAddress6 gives a link an address that can be used at once: nobody else can have it.
func addAddress6(link netlink.Link, ip net.IP) error {
	address := &net.IPNet{IP: ip, Mask: net.CIDRMask(64, 128)}
	return netlink.AddrAdd(link, &netlink.Addr{IPNet: address, Flags: unix.IFA_F_NODAD})
}

// setUpLink6 does for IPv6 what setUpLinks does.
func setUpLink6(link netlink.Link, own *worker) error {
	if err := addAddress6(link, own.ip6()); err != nil {
		return err
	}
	_, services, err := net.ParseCIDR(serviceNetwork6)
	if err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: services}); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0)
}

// routes6 are a further node's routes to another one and its pods.
func (w *worker) routes6(link netlink.Link, other *worker) error {
	address := &net.IPNet{IP: other.ip6(), Mask: net.CIDRMask(128, 128)}
	for _, target := range []*net.IPNet{address, other.pods6()} {
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: target, Gw: w.gateway6()}); err != nil {
			return fmt.Errorf("the route to %s: %w", target, err)
		}
	}
	return nil
}
