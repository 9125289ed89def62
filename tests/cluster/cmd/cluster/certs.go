package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// authority is the cluster's certificate authority. It lives as long as the run.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := validity(pkix.Name{CommonName: "stsgrade-cluster"})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key, encode("CERTIFICATE", der)}, err
}

// validity makes a certificate template that is valid from an hour ago, for clocks that disagree, for a month.
func validity(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(30 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// issue signs a certificate and returns it and its key in PEM. With addresses it is a server's, else a client's.
func (a *authority) issue(subject pkix.Name, names []string, addresses []net.IP) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := validity(subject)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(addresses) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		template.DNSNames, template.IPAddresses = names, addresses
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, a.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(private)
	return encode("CERTIFICATE", der), key, err
}

// identities are the clients that get a kubeconfig, by the name of its file, with the users and groups that RBAC's
// built-in roles are bound to. "admin" is for CMD and for the supervisor itself. Those of each node's own
// components are in addition to these.
var identities = map[string]pkix.Name{
	"admin":                   {CommonName: "admin", Organization: []string{"system:masters"}},
	"kube-controller-manager": {CommonName: "system:kube-controller-manager"},
	"kube-scheduler":          {CommonName: "system:kube-scheduler"},
}

var proxyIdentity = pkix.Name{CommonName: "system:kube-proxy"}

// writeCredentials fills pki/ and the kubeconfigs: "kubeconfig" for outside, config/NAME.kubeconfig for inside.
func (s slot) writeCredentials() error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	caKey, err := encodeKey(ca.key)
	if err != nil {
		return err
	}
	accounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	accountsKey, err := encodeKey(accounts)
	if err != nil {
		return err
	}
	serverNames := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	server, serverKey, err := ca.issue(pkix.Name{CommonName: "kube-apiserver"}, serverNames,
		[]net.IP{net.IPv4(127, 0, 0, 1), s.innerIP(), net.ParseIP(serviceIP), net.ParseIP(serviceIP6), s.workers()[0].ip6()})
	if err != nil {
		return err
	}
	client, clientKey, err := ca.issue(pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}}, nil, nil)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.crt": ca.pem, "ca.key": caKey, "accounts.key": accountsKey,
		"server.crt": server, "server.key": serverKey, "kubelet-client.crt": client, "kubelet-client.key": clientKey,
	} {
		if err := os.WriteFile(s.in("pki/"+name), content, 0o600); err != nil {
			return err
		}
	}
	local, remote := "https://127.0.0.1:6443", "https://"+s.innerIP().String()+":6443"
	for name, subject := range identities {
		if err := ca.writeKubeconfig(s.in("config/"+name+".kubeconfig"), local, name, subject); err != nil {
			return err
		}
	}
	for _, w := range s.workers() {
		server := local
		if !w.isFirst() {
			server = remote
		}
		kubelet := pkix.Name{CommonName: "system:node:" + w.name(), Organization: []string{"system:nodes"}}
		err := errors.Join(
			ca.writeKubeconfig(filepath.Join(w.configDir(), "kubelet.kubeconfig"), server, "kubelet", kubelet),
			ca.writeKubeconfig(filepath.Join(w.configDir(), "kube-proxy.kubeconfig"), server, "kube-proxy", proxyIdentity),
		)
		if err != nil {
			return err
		}
	}
	return ca.writeKubeconfig(s.in("kubeconfig"), remote, "admin", identities["admin"])
}

// writeKubeconfig writes a kubeconfig with a certificate of its own.
func (a *authority) writeKubeconfig(path, server, user string, subject pkix.Name) error {
	certificate, key, err := a.issue(subject, nil, nil)
	if err != nil {
		return err
	}
	return clientcmd.WriteToFile(kubeconfig(a.pem, certificate, key, server, user), path)
}

func kubeconfig(ca, certificate, key []byte, server, user string) api.Config {
	const name = "stsgrade-cluster"
	return api.Config{
		Clusters:       map[string]*api.Cluster{name: {Server: server, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*api.AuthInfo{user: {ClientCertificateData: certificate, ClientKeyData: key}},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: user}},
		CurrentContext: name,
	}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return encode("EC PRIVATE KEY", der), err
}
