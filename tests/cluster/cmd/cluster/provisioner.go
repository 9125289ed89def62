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
// clusters are (local-path's are 0777, CSI's belong to the pod's fsGroup). A volume can be used on the node that it
// was made for. Of several nodes that is the one that the scheduler chose; a class that binds immediately knows
// none, and has volumes on storage that each node reaches.
type volumes struct{ workers []*worker }

// place is where a new volume's folder is, and on which node, if only there.
func (v volumes) place(options controller.ProvisionOptions) (path string, on *worker, err error) {
	if len(v.workers) == 1 {
		return filepath.Join(volumesDir, options.PVName), v.workers[0], nil
	}
	if options.SelectedNodeName == "" {
		return filepath.Join(sharedDir, options.PVName), nil, nil
	}
	on, err = workerNamed(v.workers, options.SelectedNodeName)
	return filepath.Join(volumesDir, options.PVName), on, err
}

func (v volumes) Provision(_ context.Context, options controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	if only := options.StorageClass.Parameters["accessModes"]; only != "" {
		for _, mode := range options.PVC.Spec.AccessModes {
			if string(mode) != only {
				// In the words of local-path-provisioner.
				return nil, controller.ProvisioningFinished, fmt.Errorf("NodePath only supports %s and ReadWriteOncePod (1.22+) access modes", only)
			}
		}
	}
	path, on, err := v.place(options)
	if err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	folder, affinity := path, (*corev1.VolumeNodeAffinity)(nil)
	if on != nil {
		folder, affinity = on.root()+path, onlyOn(on.name())
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if err := os.Chmod(folder, 0o777); err != nil { // past the umask
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
			NodeAffinity:                  affinity,
		},
	}, controller.ProvisioningFinished, nil
}

func onlyOn(node string) *corev1.VolumeNodeAffinity {
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
	}}}}
}

func (v volumes) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	if volume.Spec.HostPath == nil {
		return errors.New("not a volume of ours")
	}
	path, affinity := volume.Spec.HostPath.Path, volume.Spec.NodeAffinity
	switch dir := filepath.Dir(path); {
	case dir == sharedDir && affinity == nil:
		return os.RemoveAll(path)
	case dir == volumesDir && affinity != nil:
		on, err := workerNamed(v.workers, affinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values[0])
		if err != nil {
			return err
		}
		return os.RemoveAll(on.root() + path)
	default:
		return errors.New("not a volume of ours")
	}
}

// runProvisioner serves claims as long as the process lives; its log goes where klog's does.
func runProvisioner(ctx context.Context, client kubernetes.Interface, workers []*worker) {
	ctx = klog.NewContext(ctx, klog.Background().WithName("provisioner"))
	controller.NewProvisionController(ctx, client, provisionerName, volumes{workers},
		controller.LeaderElection(false),
		controller.Threadiness(20),
		controller.ResyncPeriod(time.Minute),
	).Run(ctx)
}
