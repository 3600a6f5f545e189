package preview

// Binding says which repository a name in the server's configuration stands for: the one that GitHub led it to first. Whoever gets hold of the
// name later, because its owner was renamed or is gone, is not meant.
type Binding struct {
	Name         string // "owner/name" as configured, in lower case
	RepositoryID int64
}
