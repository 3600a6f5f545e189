package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// teller tells the test of commits, and waits for its leave.
type teller struct{ url string }

// around tells before and after the commit. Whether the test cuts this process down in between is its own business.
func (t teller) around(lane, what string, commit func() error) error {
	id, err := t.say(url.Values{"step": {"before"}, "lane": {lane}, "what": {what}})
	if err != nil {
		return err
	}
	step := "after"
	failure := commit()
	if failure != nil {
		step = "failed"
	}
	if _, err := t.say(url.Values{"step": {step}, "id": {id}}); err != nil {
		return err
	}
	return failure
}

func (t teller) say(q url.Values) (answer string, err error) {
	response, err := http.Get(t.url + "?" + q.Encode())
	if err != nil {
		return "", fmt.Errorf("tell the test: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("tell the test: status %d: %w", response.StatusCode, err)
	}
	return string(b), nil
}
