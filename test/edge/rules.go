package edge

import (
	"sync"
	"sync/atomic"
)

// Rule is what an HTTP edge does to the requests it matches, instead of passing them on.
type Rule struct {
	Match  func(*Request) bool
	Times  int     // how many requests; below zero: until the rules are cleared
	Answer *Answer // instead of the server's
	Lose   bool    // have it done, then break the connection
	Break  bool    // break the connection at once

	hits atomic.Int64
}

// Hits returns how many requests the rule has had.
func (r *Rule) Hits() int { return int(r.hits.Load()) }

// Rules is a watcher that spoils requests. The zero value spoils none.
type Rules struct {
	mu    sync.Mutex
	rules []*Rule
}

// Add adds rules; the first that matches a request and is not used up has it.
func (r *Rules) Add(rules ...*Rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = append(r.rules, rules...)
}

// Clear takes every rule away.
func (r *Rules) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = nil
}

// Before implements Watcher.
func (r *Rules) Before(req *Request) (*Answer, error) {
	rule := r.find(req, func(rule *Rule) bool { return !rule.Lose })
	switch {
	case rule == nil:
		return nil, nil //nolint:nilnil // no answer: the request goes on
	case rule.Break:
		return nil, ErrBreak
	}
	return rule.Answer, nil
}

// After implements Watcher.
func (r *Rules) After(req *Request, _ int) error {
	if r.find(req, func(rule *Rule) bool { return rule.Lose }) != nil {
		return ErrBreak
	}
	return nil
}

// Told implements Watcher.
func (r *Rules) Told(*Request) {}

func (r *Rules) find(req *Request, kind func(*Rule) bool) *Rule {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rule := range r.rules {
		if kind(rule) && (rule.Times < 0 || rule.Hits() < rule.Times) && rule.Match(req) {
			rule.hits.Add(1)
			return rule
		}
	}
	return nil
}
