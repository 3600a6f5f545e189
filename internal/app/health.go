package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
)

// healthz answers that the process runs; a kubelet's liveness probe asks it.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz answers whether deliveries can be accepted, which needs the database alone; a kubelet's readiness probe asks it.
// The cluster and GitHub are told about, but their absence keeps no delivery out: work goes on when they are back.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	status := http.StatusOK
	checks := map[string]string{"database": "ok", "cluster": "ok"}
	if err := a.store.Ping(ctx); err != nil {
		a.log.Error("not ready", "error", err)
		checks["database"], status = "does not answer", http.StatusServiceUnavailable
	}
	if err := a.cluster.Ping(ctx); err != nil {
		a.log.Warn("cluster does not answer", "error", err)
		checks["cluster"] = "does not answer"
	}
	for _, gate := range a.github.State() {
		if gate.State != ghapp.GateOpen {
			checks["github "+gate.Name] = fmt.Sprintf("%s until %s: %s", gate.State, gate.Until.UTC().Format(time.RFC3339), gate.Reason)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(checks)
}
