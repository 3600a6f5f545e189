package preview

import (
	"errors"
	"fmt"
)

// The error kinds. A kind decides what happens next; the text says what, with which argument. Anything that is neither a
// kind nor a *Failure is an outage: it is retried, logged and counted.
var (
	ErrInvalid   = errors.New("invalid")       // bad input; trying again does not help
	ErrNotFound  = errors.New("not found")     // the thing does not exist
	ErrConflict  = errors.New("conflict")      // the thing exists and belongs to somebody else, or changed meanwhile
	ErrStale     = errors.New("stale")         // the writer lost its lease or was overtaken; drop the work
	ErrReplaced  = errors.New("replaced")      // the work was stopped for a newer commit; a hook that runs may end first
	ErrForbidden = errors.New("forbidden")     // not allowed
	ErrSignIn    = errors.New("not signed in") // nobody, until who asks says who they are
	ErrNotReady  = errors.New("not ready")     // a passing state (namespace terminating, cache cold): try again later
	ErrGone      = errors.New("gone")          // GitHub no longer gives us access to the repository or the pull request
	ErrTooLarge  = errors.New("too large")     // a cap was exceeded
	ErrSigned    = errors.New("not verified")  // a webhook without a valid signature
)

// Failure is a failure whose cause is known and can be told to people. It is stored on the preview and shown in the
// comment; it is not retried, unless Again says so.
type Failure struct {
	Diagnosis Diagnosis
	Err       error // the error underneath, for the log; may be nil
	Again     bool  // it may pass: to be told only when trying again, as after an outage, did not help
}

// Fail returns a *Failure. err may be nil.
func Fail(err error, d Diagnosis) *Failure { return &Failure{Diagnosis: d, Err: err} }

// Error gives the code and the cause, with the error underneath.
func (f *Failure) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("%s: %s", f.Diagnosis.Code, f.Diagnosis.Cause)
	}
	return fmt.Sprintf("%s: %s: %v", f.Diagnosis.Code, f.Diagnosis.Cause, f.Err)
}

// Unwrap returns the error underneath.
func (f *Failure) Unwrap() error { return f.Err }
