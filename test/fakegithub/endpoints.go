package fakegithub

// endpoints are the operations the fake serves: all of the trimmed description. The permissions are those that
// GitHub's documentation names for each.
func endpoints() map[string]endpoint {
	const repo = "/repos/{owner}/{repo}"
	perm := func(handle func(*call) *answer, permissions ...string) endpoint {
		return endpoint{permissions: permissions, handle: handle}
	}
	// People comment and react with the right to read.
	anybody := func(handle func(*call) *answer, permissions ...string) endpoint {
		return endpoint{permissions: permissions, writeRole: "read", handle: handle}
	}
	by := func(auth string, handle func(*call) *answer) endpoint { return endpoint{auth: auth, handle: handle} }
	talk := []string{"issues", "pull_requests"}
	return map[string]endpoint{
		"GET /app":                                                                 by("app", getApp),
		"GET /app/hook/config":                                                     by("app", getHookConfig),
		"PATCH /app/hook/config":                                                   by("app", updateHookConfig),
		"GET /app/hook/deliveries":                                                 by("app", listDeliveries),
		"GET /app/hook/deliveries/{delivery_id}":                                   by("app", getDelivery),
		"POST /app/hook/deliveries/{delivery_id}/attempts":                         by("app", redeliver),
		"GET /app/installations":                                                   by("app", listInstallations),
		"GET /app/installations/{installation_id}":                                 by("app", getInstallation),
		"DELETE /app/installations/{installation_id}":                              by("app", deleteInstallation),
		"POST /app/installations/{installation_id}/access_tokens":                  by("app", createToken),
		"GET /orgs/{org}/installation":                                             by("app", getAccountInstallation),
		"GET /users/{username}/installation":                                       by("app", getAccountInstallation),
		"GET " + repo + "/installation":                                            by("app", getRepoInstallation),
		"GET /installation/repositories":                                           by("installation", listInstallationRepos),
		"DELETE /installation/token":                                               by("installation", revokeToken),
		"GET /users/{username}":                                                    by("any", getUser),
		"GET /user":                                                                by("user", getSelf),
		"GET /rate_limit":                                                          by("any", getRateLimit),
		"GET /meta":                                                                by("any", getMeta),
		"GET " + repo:                                                              perm(getRepo, "metadata"),
		"GET " + repo + "/collaborators/{username}/permission":                     perm(getPermission, "metadata"),
		"GET " + repo + "/branches":                                                perm(listBranches, "contents"),
		"GET " + repo + "/branches/{branch}":                                       perm(getBranch, "contents"),
		"GET " + repo + "/commits":                                                 perm(listCommits, "contents"),
		"GET " + repo + "/commits/{ref}":                                           perm(getCommit, "contents"),
		"GET " + repo + "/commits/{commit_sha}/pulls":                              perm(listCommitPulls, "pull_requests"),
		"GET " + repo + "/commits/{ref}/check-runs":                                perm(listChecks, "checks"),
		"GET " + repo + "/commits/{ref}/status":                                    perm(getCombinedStatus, "statuses"),
		"GET " + repo + "/commits/{ref}/statuses":                                  perm(listStatuses, "statuses"),
		"POST " + repo + "/statuses/{sha}":                                         perm(createStatus, "statuses"),
		"GET " + repo + "/contents/{path}":                                         perm(getContents, "contents"),
		"GET " + repo + "/tarball/{ref}":                                           perm(getTarball, "contents"),
		"GET " + repo + "/git/commits/{commit_sha}":                                perm(getGitCommit, "contents"),
		"GET " + repo + "/git/ref/{ref}":                                           perm(getGitRef, "contents"),
		"GET " + repo + "/git/trees/{tree_sha}":                                    perm(getGitTree, "contents"),
		"GET " + repo + "/pulls":                                                   perm(listPulls, "pull_requests"),
		"POST " + repo + "/pulls":                                                  anybody(createPull, "pull_requests"),
		"GET " + repo + "/pulls/{pull_number}":                                     perm(getPull, "pull_requests"),
		"PATCH " + repo + "/pulls/{pull_number}":                                   anybody(updatePull, "pull_requests"),
		"GET " + repo + "/pulls/{pull_number}/files":                               perm(listPullFiles, "pull_requests"),
		"GET " + repo + "/pulls/{pull_number}/commits":                             perm(listPullCommits, "pull_requests"),
		"GET " + repo + "/issues/{issue_number}":                                   perm(getIssue, talk...),
		"GET " + repo + "/issues/{issue_number}/comments":                          perm(listComments, talk...),
		"POST " + repo + "/issues/{issue_number}/comments":                         anybody(createComment, talk...),
		"GET " + repo + "/issues/{issue_number}/labels":                            perm(listLabels, talk...),
		"POST " + repo + "/issues/{issue_number}/labels":                           {permissions: talk, writeRole: "triage", handle: addLabels},
		"DELETE " + repo + "/issues/{issue_number}/labels/{name}":                  {permissions: talk, writeRole: "triage", handle: removeLabel},
		"GET " + repo + "/issues/comments":                                         perm(listRepoComments, talk...),
		"GET " + repo + "/issues/comments/{comment_id}":                            perm(getComment, talk...),
		"PATCH " + repo + "/issues/comments/{comment_id}":                          anybody(updateComment, talk...),
		"DELETE " + repo + "/issues/comments/{comment_id}":                         anybody(deleteComment, talk...),
		"GET " + repo + "/issues/comments/{comment_id}/reactions":                  perm(listReactions, talk...),
		"POST " + repo + "/issues/comments/{comment_id}/reactions":                 anybody(createReaction, talk...),
		"DELETE " + repo + "/issues/comments/{comment_id}/reactions/{reaction_id}": anybody(deleteReaction, talk...),
		"POST " + repo + "/check-runs":                                             perm(createCheck, "checks"),
		"GET " + repo + "/check-runs/{check_run_id}":                               perm(getCheck, "checks"),
		"PATCH " + repo + "/check-runs/{check_run_id}":                             perm(updateCheck, "checks"),
		"GET " + repo + "/deployments":                                             perm(listDeployments, "deployments"),
		"POST " + repo + "/deployments":                                            perm(createDeployment, "deployments"),
		"GET " + repo + "/deployments/{deployment_id}":                             perm(getDeployment, "deployments"),
		"DELETE " + repo + "/deployments/{deployment_id}":                          perm(deleteDeployment, "deployments"),
		"GET " + repo + "/deployments/{deployment_id}/statuses":                    perm(listDeploymentStatuses, "deployments"),
		"POST " + repo + "/deployments/{deployment_id}/statuses":                   perm(createDeploymentStatus, "deployments"),
		"GET " + repo + "/environments":                                            perm(listEnvironments, "actions"),
		"GET " + repo + "/environments/{environment_name}":                         perm(getEnvironment, "actions"),
		"DELETE " + repo + "/environments/{environment_name}":                      {permissions: []string{"administration"}, writeRole: "admin", handle: deleteEnvironment},
		"GET " + repo + "/actions/runs":                                            perm(listRuns, "actions"),
		"GET " + repo + "/actions/runs/{run_id}":                                   perm(getRun, "actions"),
	}
}
