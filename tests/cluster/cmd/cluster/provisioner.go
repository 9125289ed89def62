package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const provisionerName = "stsgrade.dev/volumes"

// volumes makes each volume a folder of the node that any user may write to, as the volumes of common
// clusters are (local-path's are 0777, CSI's belong to the pod's fsGroup).
type volumes struct{}

func (volumes) Provision(_ context.Context, options controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	if only := options.StorageClass.Parameters["accessModes"]; only != "" {
		for _, mode := range options.PVC.Spec.AccessModes {
			if string(mode) != only {
				// In the words of local-path-provisioner.
				return nil, controller.ProvisioningFinished, fmt.Errorf("NodePath only supports %s and ReadWriteOncePod (1.22+) access modes", only)
			}
		}
	}
	path := filepath.Join(volumesDir, options.PVName)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if err := os.Chmod(path, 0o777); err != nil { // past the umask
		return nil, controller.ProvisioningFinished, err
	}
	directory := corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: options.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &directory}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{nodeName}}},
			}}}},
		},
	}, controller.ProvisioningFinished, nil
}

func (volumes) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	if volume.Spec.HostPath == nil || filepath.Dir(volume.Spec.HostPath.Path) != volumesDir {
		return errors.New("not a volume of ours")
	}
	return os.RemoveAll(volume.Spec.HostPath.Path)
}

// runProvisioner serves claims as long as the process lives; its log goes where klog's does.
func runProvisioner(ctx context.Context, client kubernetes.Interface) {
	ctx = klog.NewContext(ctx, klog.Background().WithName("provisioner"))
	controller.NewProvisionController(ctx, client, provisionerName, volumes{},
		controller.LeaderElection(false),
		controller.Threadiness(20),
		controller.ResyncPeriod(time.Minute),
	).Run(ctx)
}
