// Package browser drives Chromium over its pipe, for tests that need a real one. It speaks the little of the DevTools protocol that they use.
package browser

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// limit is how long a browser may take for anything. It only guards against hanging.
const limit = time.Minute

// Chrome is a running browser. Close it.
type Chrome struct {
	cmd     *exec.Cmd
	profile string
	in      io.WriteCloser

	mu      sync.Mutex
	last    int
	answers map[int]chan reply
	events  map[string]func(event) // by session
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

type event struct {
	Method string
	Params json.RawMessage
}

// Find returns the path of Chromium; the error is the command that installs it.
func Find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium is missing: apt-get install chromium")
}

// Start starts Chromium with a profile of its own.
func Start(path string) (*Chrome, error) {
	profile, err := os.MkdirTemp("", "browser")
	if err != nil {
		return nil, err
	}
	c := &Chrome{profile: profile, answers: map[int]chan reply{}, events: map[string]func(event){}}
	c.cmd = exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--hide-scrollbars",
		"--disable-background-networking",
		// A tab that nobody looks at draws nothing.
		"--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding", "--disable-background-timer-throttling", "--disable-component-update", "--disable-default-apps", "--disable-sync", "--mute-audio", "--force-color-profile=srgb",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.in = ours
	c.cmd.ExtraFiles = []*os.File{theirs, theirOut}
	err = c.cmd.Start()
	_, _ = theirs.Close(), theirOut.Close()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	go c.read(out)
	return c, nil
}

// Close ends the browser.
func (c *Chrome) Close() error {
	_ = c.in.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	return os.RemoveAll(c.profile)
}

// read takes what the browser says: messages that end with a zero.
func (c *Chrome) read(out io.ReadCloser) {
	defer out.Close()
	for in := bufio.NewReader(out); ; {
		text, err := in.ReadBytes(0)
		if err != nil {
			c.mu.Lock()
			for _, waiting := range c.answers {
				close(waiting)
			}
			c.answers = nil
			c.mu.Unlock()
			return
		}
		var m struct {
			ID        int
			SessionID string
			reply
			event
		}
		if json.Unmarshal(bytes.TrimRight(text, "\x00"), &m) != nil {
			continue
		}
		c.mu.Lock()
		waiting, hear := c.answers[m.ID], c.events[m.SessionID]
		delete(c.answers, m.ID)
		c.mu.Unlock()
		switch {
		case waiting != nil:
			waiting <- m.reply
		case m.Method != "" && hear != nil:
			hear(m.event)
		}
	}
}

// call asks for something and reads the result into out, unless that is nil.
func (c *Chrome) call(session, method string, params, out any) error {
	c.mu.Lock()
	if c.answers == nil {
		c.mu.Unlock()
		return errors.New("the browser has ended")
	}
	c.last++
	id, waiting := c.last, make(chan reply, 1)
	c.answers[id] = waiting
	text, err := json.Marshal(map[string]any{"id": id, "sessionId": session, "method": method, "params": params})
	if session == "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err == nil {
		_, err = c.in.Write(append(text, 0))
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case r, ok := <-waiting:
		switch {
		case !ok:
			return errors.New("the browser has ended")
		case r.Error != nil:
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		case out != nil:
			return json.Unmarshal(r.Result, out)
		}
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s: no answer in %s", method, limit)
	}
}

// Page is a tab.
type Page struct {
	c       *Chrome
	session string
	context string

	mu    sync.Mutex
	said  []string // dialogs, errors and what the policy refused
	ready chan struct{}
}

// Open opens a tab that shares no cookies with the others: those of one host are the same on all of its ports.
func (c *Chrome) Open() (*Page, error) {
	var own struct{ BrowserContextID string }
	if err := c.call("", "Target.createBrowserContext", map[string]any{}, &own); err != nil {
		return nil, err
	}
	var target struct{ TargetID string }
	if err := c.call("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": own.BrowserContextID}, &target); err != nil {
		return nil, err
	}
	var session struct{ SessionID string }
	if err := c.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session); err != nil {
		return nil, err
	}
	p := &Page{c: c, session: session.SessionID, context: own.BrowserContextID, ready: make(chan struct{}, 8)}
	c.mu.Lock()
	c.events[p.session] = p.hear
	c.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		if err := p.call(domain+".enable", nil, nil); err != nil {
			return nil, err
		}
	}
	return p, p.call("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
}

// Close closes the tab and forgets its cookies.
func (p *Page) Close() error {
	return p.c.call("", "Target.disposeBrowserContext", map[string]any{"browserContextId": p.context}, nil)
}

func (p *Page) call(method string, params, out any) error {
	if params == nil {
		params = map[string]any{}
	}
	return p.c.call(p.session, method, params, out)
}

// hear keeps what a page must not do.
func (p *Page) hear(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Method {
	case "Page.loadEventFired":
		select {
		case p.ready <- struct{}{}:
		default:
		}
	case "Page.javascriptDialogOpening":
		p.said = append(p.said, "dialog: "+string(e.Params))
		go func() { _ = p.call("Page.handleJavaScriptDialog", map[string]any{"accept": true}, nil) }()
	case "Runtime.exceptionThrown":
		p.said = append(p.said, "exception: "+string(e.Params))
	case "Log.entryAdded":
		var entry struct {
			Entry struct{ Source, Level, Text string }
		}
		if json.Unmarshal(e.Params, &entry) == nil && entry.Entry.Source == "security" {
			p.said = append(p.said, "refused: "+entry.Entry.Text)
		}
	}
}

// Said returns what happened that must not, since the last time: dialogs, exceptions of scripts, and what the policy refused.
func (p *Page) Said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.said
	p.said = nil
	return said
}

// Go opens an address and waits until the page is there.
func (p *Page) Go(address string) error {
	for len(p.ready) > 0 {
		<-p.ready
	}
	var result struct{ ErrorText string }
	if err := p.call("Page.navigate", map[string]any{"url": address}, &result); err != nil {
		return err
	}
	if result.ErrorText != "" {
		return fmt.Errorf("open %s: %s", address, result.ErrorText)
	}
	select {
	case <-p.ready:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("open %s: not loaded in %s", address, limit)
	}
}

// Eval evaluates an expression, awaits it and reads its value into out, unless that is nil.
func (p *Page) Eval(expression string, out any) error {
	var result struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &result)
	if err != nil {
		return err
	}
	if d := result.ExceptionDetails; d != nil {
		return fmt.Errorf("%s %s", d.Text, d.Exception.Description)
	}
	if out == nil || result.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(result.Result.Value, out)
}

// Until waits until the expression is true.
func (p *Page) Until(expression string) error {
	for deadline := time.Now().Add(limit); ; {
		var done bool
		// The page may be on its way to another: then there is nobody to ask.
		if err := p.Eval("new Promise(r => setTimeout(() => r(!!("+expression+")), 50))", &done); err == nil && done {
			return nil
		}
		if time.Now().After(deadline) {
			var shown string
			_ = p.Eval("location.href + ' ' + document.visibilityState + ' ' + document.body.innerText.slice(0, 2000)", &shown) // to tell more; it may not answer
			return fmt.Errorf("not in %s: %s\n%s\n%s", limit, expression, p.Said(), shown)
		}
	}
}

// Press presses a key, as by hand: on a page that can be seen. Until a page is painted for the first time the browser drops what is typed into it.
func (p *Page) Press(key string) error {
	const seen = "performance.getEntriesByName('first-contentful-paint').length > 0"
	var painted bool
	if err := p.Eval(seen, &painted); err != nil || !painted {
		if err := p.Until(seen); err != nil {
			return err
		}
	}
	text := key
	code := map[string]int{"Enter": 13, "Escape": 27, "Tab": 9}[key]
	switch key {
	case "Enter":
		text = "\r"
	case "Escape", "Tab":
		text = ""
	}
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": key, "windowsVirtualKeyCode": code}
		if kind == "keyDown" && text != "" {
			params["text"] = text
		}
		if err := p.call("Input.dispatchKeyEvent", params, nil); err != nil {
			return err
		}
	}
	return nil
}

// Look is how a page is looked at.
type Look struct {
	Width, Height int
	Dark          bool
}

// Look sets the size of the window and the colour scheme.
func (p *Page) Look(l Look) error {
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	err := p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": l.Width, "height": l.Height, "deviceScaleFactor": 1, "mobile": l.Width < 600}, nil)
	if err != nil {
		return err
	}
	return p.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
		{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
	}}, nil)
}

// Screenshot returns the page as a PNG, as far as it reaches down, but at most four windows.
func (p *Page) Screenshot(l Look) ([]byte, error) {
	var tall int
	if err := p.Eval("document.documentElement.scrollHeight", &tall); err != nil {
		return nil, err
	}
	var shot struct{ Data string }
	err := p.call("Page.captureScreenshot", map[string]any{
		"format": "png", "captureBeyondViewport": true, "clip": map[string]any{"x": 0, "y": 0, "width": l.Width, "height": max(l.Height, min(tall, 4*l.Height)), "scale": 1},
	}, &shot)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(shot.Data)
}
