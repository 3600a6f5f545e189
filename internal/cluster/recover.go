package cluster

import (
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// recover makes a release that a dead process has left half-done usable again.
func (op *operation) recover(helm *action.Configuration) error {
	revisions := op.records.all()
	if len(revisions) == 0 {
		return nil
	}
	switch last := revisions[0]; last.Info.Status {
	case rcommon.StatusPendingInstall, rcommon.StatusPendingUpgrade, rcommon.StatusPendingRollback, rcommon.StatusUnknown:
		op.c.log.WarnContext(op.ctx, "release left half-done: marked failed",
			"namespace", last.Namespace, "revision", last.Version, "status", last.Info.Status)
		last.SetStatus(rcommon.StatusFailed, "Interrupted in state "+last.Info.Status.String())
		if err := helm.Releases.Update(last); err != nil {
			return fmt.Errorf("mark revision %d failed: %w", last.Version, err)
		}
	case rcommon.StatusUninstalling, rcommon.StatusUninstalled:
		op.c.log.WarnContext(op.ctx, "release left uninstalling: finished", "namespace", last.Namespace, "revision", last.Version)
		u := action.NewUninstall(helm)
		u.WaitStrategy, u.Timeout = kube.HookOnlyStrategy, op.hookTimeout()
		if _, err := u.Run(preview.Release); err != nil {
			return fmt.Errorf("finish uninstalling revision %d: %w", last.Version, err)
		}
	}
	return op.supersede(helm, revisions)
}

// supersede leaves one revision called deployed, the newest: an upgrade whose last-but-one record was lost has left two.
func (op *operation) supersede(helm *action.Configuration, revisions []*release.Release) error {
	newest := true
	for _, r := range revisions {
		if r.Info.Status != rcommon.StatusDeployed {
			continue
		}
		if !newest {
			r.SetStatus(rcommon.StatusSuperseded, r.Info.Description)
			if err := helm.Releases.Update(r); err != nil {
				return fmt.Errorf("mark revision %d superseded: %w", r.Version, err)
			}
		}
		newest = false
	}
	return nil
}

// prune deletes what revisions that never came through have made and the new one does not have. Helm compares only with the last
// deployed revision and would leave it running for ever.
func (op *operation) prune(wanted kube.ResourceList) error {
	for _, old := range unfinished(op.records.all()) {
		list, err := op.applier.Build(strings.NewReader(old.Manifest), false)
		if err != nil {
			// A kind that is gone, say: then so are its objects.
			op.c.log.WarnContext(op.ctx, "leftovers of a failed revision not looked at", "namespace", old.Namespace, "revision", old.Version, "err", err)
			continue
		}
		for _, info := range list.Difference(wanted) {
			if err := info.Get(); apierrors.IsNotFound(err) {
				continue
			} else if err != nil {
				return fmt.Errorf("look for leftover %s: %w", info.Name, err)
			}
			object, err := metaOf(info.Object)
			if err != nil {
				return fmt.Errorf("look for leftover %s: %w", info.Name, err)
			}
			// Somebody else may have made it before the release could.
			notes := object.GetAnnotations()
			if notes["meta.helm.sh/release-name"] != preview.Release || notes[kube.ResourcePolicyAnno] == kube.KeepPolicy {
				continue
			}
			if _, errs := op.applier.Delete(kube.ResourceList{info}, metav1.DeletePropagationBackground); len(errs) > 0 {
				return fmt.Errorf("delete leftover %s: %w", info.Name, errors.Join(errs...))
			}
		}
	}
	return nil
}
