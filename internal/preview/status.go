package preview

// Status is the state of a preview as stored, shown and sent. Statuses are strings in SQL, JSON and the UI alike.
type Status string

// The statuses of a preview. In the pull request's comment StatusRunning reads "success" (design, S3).
const (
	StatusPending   Status = "pending"   // known, nothing done yet
	StatusBlocked   Status = "blocked"   // waits for a person's approval of this commit; an approved one may still be live
	StatusQueued    Status = "queued"    // waits for a free slot; see policy.Line
	StatusDeploying Status = "deploying" // a deployment is in progress
	StatusRunning   Status = "running"   // the live commit answered its readiness checks
	StatusDegraded  Status = "degraded"  // it ran, and lost what it runs on
	StatusFailed    Status = "failed"    // the last deployment failed; an older commit may still be live
	StatusDeleting  Status = "deleting"  // the pull request is closed, its namespace is being removed
	StatusDeleted   Status = "deleted"   // nothing is left in the cluster
)

// DeploymentStatus is the state of one attempt to bring a preview to one commit.
type DeploymentStatus string

// The statuses of a deployment. All but DeploymentRunning are final.
const (
	DeploymentRunning    DeploymentStatus = "deploying"
	DeploymentSucceeded  DeploymentStatus = "succeeded"
	DeploymentFailed     DeploymentStatus = "failed"
	DeploymentSuperseded DeploymentStatus = "superseded" // a newer commit or the close of the pull request came first
)
