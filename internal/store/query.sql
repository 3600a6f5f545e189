-- One query file for both databases. `open` and the like are plain column names on both.

-- name: InsertDelivery :exec
INSERT INTO deliveries (id, guid, event, action, repository, number, body_sha256, body, outcome, reason, received_at)
VALUES (@id, @guid, @event, @action, @repository, @number, @body_sha256, @body, @outcome, @reason, @received_at);

-- name: SeenBody :one
SELECT COUNT(*) FROM deliveries WHERE body_sha256 = @body_sha256 AND event = @event AND outcome <> 'ignored';

-- name: ListDeliveries :many
SELECT * FROM deliveries ORDER BY received_at DESC, id DESC LIMIT @max_rows;

-- name: PreviewByKey :one
SELECT * FROM previews WHERE repository_id = @repository_id AND number = @number;

-- name: PreviewByID :one
SELECT * FROM previews WHERE id = @id;

-- name: ListPreviews :many
SELECT * FROM previews ORDER BY changed_at DESC, id DESC LIMIT @max_rows;

-- name: ListPlaces :many
SELECT id, repository_id, number, repository, status, namespace_uid, queued_at FROM previews WHERE status <> 'deleted';

-- name: ListUnfinished :many
SELECT * FROM previews WHERE status <> 'deleted' OR settled < generation ORDER BY id;

-- name: CountPreviews :many
SELECT status, COUNT(*) AS previews FROM previews GROUP BY status;

-- name: NameTaken :one
SELECT COUNT(*) FROM previews WHERE namespace = @namespace;

-- name: InsertPreview :execrows
INSERT INTO previews (id, version, repository_id, number, repository, installation_id, private, title, author, branch,
    base_branch, head_sha, head_repository_id, open, merged, draft, comments, namespace, namespace_uid, host, url, status,
    generation, settled, live_sha, live_since, diagnosis, comment_id, comment_hash, comment_attempted, created_at,
    changed_at, closed_at, queued_at, missing_since, bot, head_repository, removed_by, notice, awaited,
    comment_writes, channels)
VALUES (@id, @version, @repository_id, @number, @repository, @installation_id, @private, @title, @author, @branch,
    @base_branch, @head_sha, @head_repository_id, @open, @merged, @draft, @comments, @namespace, @namespace_uid, @host, @url, @status,
    @generation, @settled, @live_sha, @live_since, @diagnosis, @comment_id, @comment_hash, @comment_attempted, @created_at,
    @changed_at, @closed_at, @queued_at, @missing_since, @bot, @head_repository, @removed_by, @notice, @awaited,
    @comment_writes, @channels)
ON CONFLICT DO NOTHING;

-- name: UpdatePreview :execrows
UPDATE previews SET version = version + 1, repository = @repository, installation_id = @installation_id, private = @private,
    title = @title, author = @author, branch = @branch, base_branch = @base_branch, head_sha = @head_sha,
    head_repository_id = @head_repository_id, open = @open, merged = @merged, draft = @draft, comments = @comments,
    namespace = @namespace, namespace_uid = @namespace_uid, host = @host, url = @url, status = @status, generation = @generation, settled = @settled,
    live_sha = @live_sha, live_since = @live_since, diagnosis = @diagnosis, comment_id = @comment_id,
    comment_hash = @comment_hash, comment_attempted = @comment_attempted, changed_at = @changed_at, closed_at = @closed_at,
    queued_at = @queued_at, missing_since = @missing_since, bot = @bot, head_repository = @head_repository,
    removed_by = @removed_by, notice = @notice, awaited = @awaited, comment_writes = @comment_writes,
    channels = @channels
WHERE id = @id AND version = @version;

-- name: LastDeployment :one
SELECT * FROM deployments WHERE preview_id = @preview_id ORDER BY generation DESC, attempt DESC LIMIT 1;

-- name: ListDeployments :many
SELECT * FROM deployments WHERE preview_id = @preview_id ORDER BY generation DESC, attempt DESC LIMIT @max_rows;

-- name: CountAttempts :one
SELECT COUNT(*) FROM deployments WHERE preview_id = @preview_id AND sha = @sha;

-- name: InsertDeployment :exec
INSERT INTO deployments (id, preview_id, sha, attempt, generation, status, diagnosis, started_at, finished_at, steps)
VALUES (@id, @preview_id, @sha, @attempt, @generation, @status, @diagnosis, @started_at, @finished_at, @steps);

-- name: UpdateDeployment :exec
UPDATE deployments SET status = @status, diagnosis = @diagnosis, finished_at = @finished_at, steps = @steps WHERE id = @id;

-- name: LastSuccesses :many
SELECT d.started_at, d.finished_at FROM deployments d JOIN previews p ON p.id = d.preview_id
WHERE p.repository_id = @repository_id AND d.status = 'succeeded' ORDER BY d.started_at DESC, d.id DESC LIMIT @max_rows;

-- name: ListApprovals :many
SELECT * FROM approvals WHERE preview_id = @preview_id ORDER BY approved_at DESC, id DESC;

-- name: InsertApproval :exec
INSERT INTO approvals (id, preview_id, repository_id, number, sha, head_repository_id, base_branch, approver, approver_id, comment_id,
    approved_at, withdrawn_at)
VALUES (@id, @preview_id, @repository_id, @number, @sha, @head_repository_id, @base_branch, @approver, @approver_id, @comment_id,
    @approved_at, @withdrawn_at);

-- What an approval allows never changes: only its end can be written.
-- name: WithdrawApproval :exec
UPDATE approvals SET withdrawn_at = @withdrawn_at WHERE id = @id;

-- name: CommandByComment :one
SELECT * FROM commands WHERE comment_id = @comment_id;

-- name: ListCommands :many
SELECT * FROM commands WHERE preview_id = @preview_id AND (finished_at = 0 OR told <> outcome) ORDER BY comment_id;

-- name: InsertCommand :execrows
INSERT INTO commands (comment_id, preview_id, verb, argument, author, author_id, sha, outcome, told, generation, received_at, finished_at,
    origin, reason)
VALUES (@comment_id, @preview_id, @verb, @argument, @author, @author_id, @sha, @outcome, @told, @generation, @received_at, @finished_at,
    @origin, @reason)
ON CONFLICT DO NOTHING;

-- name: UpdateCommand :exec
UPDATE commands SET outcome = @outcome, told = @told, generation = @generation, finished_at = @finished_at, reason = @reason
WHERE comment_id = @comment_id;

-- name: ListRecentCommands :many
SELECT * FROM commands WHERE preview_id = @preview_id ORDER BY received_at DESC, comment_id DESC LIMIT @max_rows;

-- name: RequestJob :exec
INSERT INTO jobs (kind, preview_id, generation, done, not_before, since, attempt, token, holder, lease_until, last_error)
VALUES (@kind, @preview_id, 1, 0, @not_before, @now, 0, 0, '', 0, '')
ON CONFLICT (kind, preview_id) DO UPDATE SET
    generation = jobs.generation + 1,
    attempt    = CASE WHEN jobs.lease_until > @now THEN jobs.attempt ELSE 0 END,
    not_before = CASE WHEN jobs.done < jobs.generation AND jobs.not_before < excluded.not_before THEN jobs.not_before ELSE excluded.not_before END,
    since      = CASE WHEN jobs.done < jobs.generation AND jobs.not_before < excluded.not_before THEN jobs.since ELSE excluded.since END;

-- Who had to wait for another's write looks at the row again, but not into the subquery: so the outer conditions are all of them.
-- What was put off at a time that comes only in more than a minute (since) was put off by a clock that has gone back: it is due.
-- name: ClaimJob :one
UPDATE jobs SET token = jobs.token + 1, attempt = jobs.attempt + 1, holder = @holder, lease_until = @lease_until
WHERE jobs.lease_until <= @now AND (jobs.not_before <= @now OR jobs.since - 60000 > @now) AND jobs.done < jobs.generation AND jobs.kind = @kind AND jobs.preview_id = (
    SELECT j.preview_id FROM jobs j
    WHERE j.kind = @kind AND j.done < j.generation AND (j.not_before <= @now OR j.since - 60000 > @now) AND j.lease_until <= @now
    ORDER BY j.not_before, j.preview_id LIMIT 1)
RETURNING *;

-- A lease that lasts longer than any is given was given by a clock that has gone back since. It ends as one given now would, so that its
-- holder, which may be alive, has the time to renew it; a dead one's would last until that clock's time has come again.
-- name: ShortenLeases :exec
UPDATE jobs SET lease_until = @lease_until WHERE kind = @kind AND lease_until > @longest;

-- name: HoldJob :execrows
UPDATE jobs SET token = token
WHERE kind = @kind AND preview_id = @preview_id AND token = @token AND lease_until > @now;

-- name: RenewJob :one
UPDATE jobs SET lease_until = @lease_until
WHERE kind = @kind AND preview_id = @preview_id AND token = @token AND lease_until > @now
RETURNING generation;

-- name: FinishJob :execrows
UPDATE jobs SET done = @done, attempt = 0, holder = '', lease_until = 0, last_error = ''
WHERE kind = @kind AND preview_id = @preview_id AND token = @token AND lease_until > @now;

-- name: RetryJob :execrows
UPDATE jobs SET attempt = @attempt, not_before = CASE WHEN generation > @covered THEN @now ELSE @not_before END, since = @now, holder = '', lease_until = 0, last_error = @last_error
WHERE kind = @kind AND preview_id = @preview_id AND token = @token AND lease_until > @now;

-- name: DueJobs :many
SELECT kind, CAST(MIN(CASE WHEN not_before > lease_until THEN not_before ELSE lease_until END) AS BIGINT) AS due_at FROM jobs
WHERE done < generation GROUP BY kind;

-- name: HeldJobs :many
SELECT kind, preview_id, token, generation FROM jobs WHERE done < generation AND holder = @holder;

-- name: CountJobs :many
SELECT kind, COUNT(*) AS jobs FROM jobs WHERE done < generation GROUP BY kind;

-- name: ListBodies :many
SELECT id, body FROM deliveries WHERE id > @after ORDER BY id LIMIT @max_rows;

-- name: UpdateBody :exec
UPDATE deliveries SET body = @body WHERE id = @id;

-- What tells with which key a body was sealed stands at its beginning.
-- name: ListBodyHeads :many
SELECT DISTINCT SUBSTR(body, 1, @length) AS head FROM deliveries;

-- name: BindingsOf :many
SELECT * FROM bindings WHERE name = @name OR repository_id = @repository_id ORDER BY name;

-- name: Bind :exec
INSERT INTO bindings (name, repository_id, learnt_at) VALUES (@name, @repository_id, @learnt_at) ON CONFLICT (name) DO NOTHING;

-- name: Rebind :exec
INSERT INTO bindings (name, repository_id, learnt_at) VALUES (@name, @repository_id, @learnt_at)
ON CONFLICT (name) DO UPDATE SET repository_id = excluded.repository_id, learnt_at = excluded.learnt_at;

-- name: InsertNotification :exec
INSERT INTO notifications (id, preview_id, receiver, body) VALUES (@id, @preview_id, @receiver, @body);

-- name: ListNotifications :many
SELECT * FROM notifications WHERE preview_id = @preview_id ORDER BY id LIMIT @max_rows;

-- name: DeleteNotification :exec
DELETE FROM notifications WHERE id = @id;

-- What people look for in the list. An empty filter lets everything pass; the cursor is the last row's (changed_at, id).
-- name: SearchPreviews :many
SELECT * FROM previews
WHERE (CAST(@repository AS TEXT) = '' OR LOWER(repository) = LOWER(@repository))
    AND (CAST(@status AS TEXT) = '' OR status = @status OR (@status = 'current' AND status <> 'deleted'))
    AND (CAST(@author AS TEXT) = '' OR LOWER(author) = LOWER(@author)) AND (CAST(@text AS TEXT) = '' OR LOWER(title) LIKE @text ESCAPE '!' OR LOWER(branch) LIKE @text ESCAPE '!')
    AND (changed_at < @before OR (changed_at = @before AND id < @before_id))
ORDER BY changed_at DESC, id DESC LIMIT @max_rows;

-- A name can have belonged to more than one repository: the preview that changed last is meant.
-- name: PreviewByName :one
SELECT * FROM previews WHERE LOWER(repository) = LOWER(@repository) AND number = @number ORDER BY changed_at DESC, id DESC LIMIT 1;

-- name: PreviewByHost :one
SELECT * FROM previews WHERE host = @host AND status <> 'deleted' ORDER BY changed_at DESC, id DESC LIMIT 1;

-- name: PreviewBySHA :one
SELECT * FROM previews WHERE id = (SELECT preview_id FROM deployments WHERE sha LIKE @prefix ORDER BY started_at DESC, id DESC LIMIT 1);

-- name: DeploymentByID :one
SELECT * FROM deployments WHERE id = @id;

-- name: PageDeployments :many
SELECT * FROM deployments WHERE preview_id = @preview_id AND id < @before_id ORDER BY id DESC LIMIT @max_rows;

-- Without the bodies, which are large and sealed.
-- name: SearchDeliveries :many
SELECT id, guid, event, action, repository, number, body_sha256, outcome, reason, received_at FROM deliveries
WHERE (CAST(@repository AS TEXT) = '' OR LOWER(repository) = LOWER(@repository)) AND (CAST(@outcome AS TEXT) = '' OR outcome = @outcome) AND id < @before_id
ORDER BY id DESC LIMIT @max_rows;

-- name: DeliveryByID :one
SELECT * FROM deliveries WHERE id = @id;

-- What changes whenever a page about previews has something new to show.
-- name: PreviewVersions :many
SELECT id, version FROM previews WHERE status <> 'deleted' OR changed_at > @recent;

-- name: RunningSteps :many
SELECT preview_id, id, steps FROM deployments WHERE status = 'deploying';

-- name: ListWaitingJobs :many
SELECT * FROM jobs WHERE done < generation ORDER BY not_before, kind, preview_id LIMIT @max_rows;

-- name: InsertSession :exec
INSERT INTO sessions (id, kind, login, user_id, name, operator, data, created_at, expires_at)
VALUES (@id, @kind, @login, @user_id, @name, @operator, @data, @created_at, @expires_at);

-- name: SessionByID :one
SELECT * FROM sessions WHERE id = @id AND kind = @kind AND expires_at > @now;

-- name: TakeSession :one
DELETE FROM sessions WHERE id = @id AND kind = @kind AND expires_at > @now RETURNING *;

-- name: DeleteSession :exec
DELETE FROM sessions WHERE id = @id;

-- name: DeleteExpiredSessions :exec
DELETE FROM sessions WHERE expires_at <= @now;

-- name: InsertToken :exec
INSERT INTO tokens (id, hash, label, scopes, login, user_id, name, operator, created_at, expires_at, used_at)
VALUES (@id, @hash, @label, @scopes, @login, @user_id, @name, @operator, @created_at, @expires_at, 0);

-- name: TokenByHash :one
SELECT * FROM tokens WHERE hash = @hash AND (expires_at = 0 OR expires_at > @now);

-- name: TouchToken :exec
UPDATE tokens SET used_at = @now WHERE id = @id AND used_at < @before;

-- name: ListTokens :many
SELECT * FROM tokens ORDER BY created_at DESC, id DESC;

-- name: DeleteToken :execrows
DELETE FROM tokens WHERE id = @id;

-- name: InsertAudit :exec
INSERT INTO audit (id, at, actor, user_id, via, action, subject, outcome, detail)
VALUES (@id, @at, @actor, @user_id, @via, @action, @subject, @outcome, @detail);

-- name: ListAudit :many
SELECT * FROM audit WHERE id < @before_id AND (CAST(@subject AS TEXT) = '' OR subject = @subject) ORDER BY id DESC LIMIT @max_rows;
