package main

// rest lists the operations kept of GitHub's REST description: all that the fake GitHub serves.
func rest() map[string][]string {
	const repo = "/repos/{owner}/{repo}"
	return map[string][]string{
		"/app":                               {"get"},
		"/app/hook/config":                   {"get", "patch"},
		"/app/hook/deliveries":               {"get"},
		"/app/hook/deliveries/{delivery_id}": {"get"},
		"/app/hook/deliveries/{delivery_id}/attempts":                  {"post"},
		"/app/installations":                                           {"get"},
		"/app/installations/{installation_id}":                         {"get", "delete"},
		"/app/installations/{installation_id}/access_tokens":           {"post"},
		"/installation/repositories":                                   {"get"},
		"/installation/token":                                          {"delete"},
		"/orgs/{org}/installation":                                     {"get"},
		"/users/{username}/installation":                               {"get"},
		"/users/{username}":                                            {"get"},
		"/user":                                                        {"get"},
		"/rate_limit":                                                  {"get"},
		"/meta":                                                        {"get"},
		repo:                                                           {"get"},
		repo + "/installation":                                         {"get"},
		repo + "/collaborators/{username}/permission":                  {"get"},
		repo + "/branches":                                             {"get"},
		repo + "/branches/{branch}":                                    {"get"},
		repo + "/commits":                                              {"get"},
		repo + "/commits/{ref}":                                        {"get"},
		repo + "/commits/{commit_sha}/pulls":                           {"get"},
		repo + "/commits/{ref}/check-runs":                             {"get"},
		repo + "/commits/{ref}/status":                                 {"get"},
		repo + "/commits/{ref}/statuses":                               {"get"},
		repo + "/statuses/{sha}":                                       {"post"},
		repo + "/contents/{path}":                                      {"get"},
		repo + "/tarball/{ref}":                                        {"get"},
		repo + "/git/commits/{commit_sha}":                             {"get"},
		repo + "/git/ref/{ref}":                                        {"get"},
		repo + "/git/trees/{tree_sha}":                                 {"get"},
		repo + "/pulls":                                                {"get", "post"},
		repo + "/pulls/{pull_number}":                                  {"get", "patch"},
		repo + "/pulls/{pull_number}/files":                            {"get"},
		repo + "/pulls/{pull_number}/commits":                          {"get"},
		repo + "/issues/{issue_number}":                                {"get"},
		repo + "/issues/{issue_number}/comments":                       {"get", "post"},
		repo + "/issues/{issue_number}/labels":                         {"get", "post"},
		repo + "/issues/{issue_number}/labels/{name}":                  {"delete"},
		repo + "/issues/comments":                                      {"get"},
		repo + "/issues/comments/{comment_id}":                         {"get", "patch", "delete"},
		repo + "/issues/comments/{comment_id}/reactions":               {"get", "post"},
		repo + "/issues/comments/{comment_id}/reactions/{reaction_id}": {"delete"},
		repo + "/check-runs":                                           {"post"},
		repo + "/check-runs/{check_run_id}":                            {"get", "patch"},
		repo + "/deployments":                                          {"get", "post"},
		repo + "/deployments/{deployment_id}":                          {"get", "delete"},
		repo + "/deployments/{deployment_id}/statuses":                 {"get", "post"},
		repo + "/environments":                                         {"get"},
		repo + "/environments/{environment_name}":                      {"get", "delete"},
		repo + "/actions/runs":                                         {"get"},
		repo + "/actions/runs/{run_id}":                                {"get"},
	}
}

// webhooks lists the webhook schemas kept, by their name in GitHub's description.
func webhooks() []string {
	return []string{
		"ping", "push",
		"pull-request-opened", "pull-request-synchronize", "pull-request-closed", "pull-request-reopened",
		"pull-request-edited", "pull-request-labeled", "pull-request-unlabeled", "pull-request-converted-to-draft",
		"pull-request-ready-for-review", "pull-request-review-submitted",
		"issue-comment-created", "issue-comment-edited", "issue-comment-deleted",
		"installation-created", "installation-deleted", "installation-suspend", "installation-unsuspend",
		"installation-new-permissions-accepted", "installation-repositories-added", "installation-repositories-removed",
		"installation-target-renamed",
		"repository-renamed", "repository-transferred", "repository-deleted",
		"deployment-created", "deployment-status-created",
		"check-run-created", "check-run-completed", "check-run-rerequested", "check-run-requested-action",
		"workflow-run-requested", "workflow-run-in-progress", "workflow-run-completed",
	}
}

// examples lists the events whose recorded payloads are kept.
func events() []string {
	return []string{"ping", "push", "pull_request", "issue_comment", "installation", "installation_repositories",
		"installation_target", "repository"}
}
