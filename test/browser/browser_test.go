package browser

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/usage"
	"catalyst.dev/catalyst/test/pages"
)

//go:embed testdata/axe/axe.min.js
var axe string

// TestAccessible has axe look for what breaks WCAG 2.2 AA on every page: all of it in the light, and colours again in the dark.
func TestAccessible(t *testing.T) {
	t.Parallel()
	site, page := setup(t, calm())
	do(t, site.Fill(t.Context()))
	all := places(t, site)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		do(t, page.Go(site.URL+all[name]))
		do(t, page.Eval(axe+";0", nil))
		for scheme, run := range map[bool]string{false: "{type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}", true: "{type: 'rule', values: ['color-contrast']}"} {
			do(t, page.Look(Look{Width: 1440, Height: 900, Dark: scheme}))
			var found []string
			do(t, page.Eval("axe.run({runOnly: "+run+", resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + n.failureSummary).join(' | ')))", &found))
			for _, f := range found {
				t.Errorf("%s (dark: %v): %s", name, scheme, f)
			}
		}
		if said := page.Said(); len(said) > 0 && name != "missing" {
			t.Errorf("%s: %s", name, said)
		}
	}
	// What axe is there for, it finds.
	var found []string
	do(t, page.Eval(`{ const d = document.createElement('div'); d.innerHTML = '<button></button><p>pale</p>'; d.lastChild.style.cssText = 'color:#999;background:#fff'; document.querySelector('main').append(d); }`, nil))
	do(t, page.Eval("axe.run().then(r => r.violations.map(v => v.id))", &found))
	for _, want := range []string{"button-name", "color-contrast"} {
		if !slices.Contains(found, want) {
			t.Errorf("a page that breaks %s is taken for a good one: %s", want, found)
		}
	}
}

// TestNarrow: nothing has to be scrolled sideways on a small phone, at 320 pixels.
func TestNarrow(t *testing.T) {
	t.Parallel()
	site, page := setup(t, calm())
	do(t, site.Fill(t.Context()))
	do(t, page.Look(Look{Width: 320, Height: 640}))
	for name, path := range places(t, site) {
		do(t, page.Go(site.URL+path))
		var wide int
		do(t, page.Eval("document.documentElement.scrollWidth", &wide))
		if wide > 320 {
			t.Errorf("%s is %d pixels wide", name, wide)
		}
	}
}

// TestKeyboard goes by keys alone from the list to the preview that failed, reads why and its log, has it tried again, watches it become ready, and deletes it.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	site, page := setup(t, calm())
	do(t, site.Fill(t.Context()))
	pr := pages.Pull(pages.Failed, "", "")
	here := fmt.Sprintf("/p/%s/%d", pages.Repository, pages.Failed)
	press := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			do(t, page.Press(k))
		}
	}
	do(t, page.Go(site.URL+"/"))
	for range 10 {
		press("j")
		var at string
		do(t, page.Eval("document.activeElement.getAttribute('href')", &at))
		if at == here {
			break
		}
	}
	press("Enter")
	do(t, page.Until("location.pathname === '"+here+"' && document.body.innerText.includes('cannot reach the database') && document.body.innerText.includes('What to do') && "+listens)) // its script listens to keys by then
	press("l")
	do(t, page.Until("location.pathname === '"+here+"/logs' && document.querySelectorAll('#log .line').length > 10"))
	press("t")
	do(t, page.Until("location.pathname === '"+here+"' && "+listens))
	press("r")
	do(t, page.Until("document.activeElement.textContent === 'Retry'"))
	press("Enter")
	do(t, page.Until("document.body.innerText.includes('waiting to be looked at')"))
	commands, err := site.Store.CommandsOf(t.Context(), named(t, site).ID, 1)
	if err != nil || len(commands) != 1 || commands[0].Order.Verb != preview.VerbRedeploy {
		t.Fatalf("%+v, %v", commands, err)
	}
	// What a worker does then.
	command := commands[0]
	_, err = site.Tell(t.Context(), pr.Key, preview.Event{Kind: preview.EventExecute, Command: &command})
	do(t, err)
	finish(t, site) // of the other preview that holds the only place
	_, err = site.Tell(t.Context(), pr.Key, pages.Deployed(pr)...)
	do(t, err)
	status(t, site, pages.Failed, preview.StatusRunning)
	do(t, page.Until("document.title.startsWith('running')"))
	// To the button by the tabulator: it stands behind the one that redeploys.
	for range 60 {
		press("Tab")
		var at string
		do(t, page.Eval("document.activeElement.textContent", &at))
		if at == "Delete…" {
			break
		}
	}
	press("Enter")
	do(t, page.Until("[...document.querySelectorAll('details[open] button')].some(b => b.textContent === 'Delete the preview')"))
	press("Tab", "Enter")
	do(t, page.Until("document.body.innerText.includes('destroy by operator')"))
	if said := page.Said(); len(said) > 0 {
		t.Error(said)
	}
}

// TestUnfoldedStays: a page that keeps itself up to date folds nothing up again, and leaves the focus where it is.
func TestUnfoldedStays(t *testing.T) {
	t.Parallel()
	site, page := setup(t, calm())
	do(t, site.Fill(t.Context()))
	do(t, page.Go(fmt.Sprintf("%s/p/%s/%d/resources", site.URL, pages.Repository, pages.Failed)))
	do(t, page.Until(listens))
	// Paused and live again, it reads itself anew: what is planted is not there then.
	var there bool
	do(t, page.Eval(`(() => {
		const fold = document.querySelector('[data-part] details'), live = document.getElementById('live');
		if (!fold) return false;
		fold.open = true;
		fold.querySelector('summary').focus();
		fold.closest('[data-part]').insertAdjacentHTML('beforeend', '<i class="planted"></i>');
		live.click();
		live.click();
		return true;
	})()`, &there))
	if !there {
		t.Fatal("void: nothing can be unfolded there")
	}
	do(t, page.Until("!document.querySelector('.planted')"))
	var stays bool
	do(t, page.Eval("document.activeElement.matches('details[open] > summary')", &stays))
	if !stays {
		t.Error("it was folded up, or lost the focus")
	}
}

// listens is true of a page whose script runs: it has shown how live the page is.
const listens = "document.getElementById('live')?.hidden === false"

func named(t *testing.T, s *pages.Site) preview.Preview {
	t.Helper()
	p, err := s.Store.Named(t.Context(), pages.Repository, pages.Failed)
	do(t, err)
	return p
}

// finish ends the deployment that holds the only place.
func finish(t *testing.T, s *pages.Site) {
	t.Helper()
	pr := pages.Pull(pages.Deploying, "", "")
	_, err := s.Tell(t.Context(), pr.Key, pages.Deployed(pr)[1])
	do(t, err)
}

// payloads are texts that would run a script, or load something, where they are taken for more than text.
func payloads() []string {
	const run = "window.__ran=1"
	all := []string{
		"<script>" + run + "</script>", "</script><script>" + run + "</script>", "<SCRIPT>" + run + "</SCRIPT>", "<scr<script>ipt>" + run + "</script>", "<script/x>" + run + "</script>", "<script src=//evil.example/x></script>",
		"<img src=x onerror=" + run + ">", `<img src="x" onerror="` + run + `">`, "<img/src/onerror=" + run + ">", "<IMG SRC=x ONERROR=" + run + ">", "<image src=x onerror=" + run + ">", "<svg onload=" + run + ">", "<svg/onload=" + run + ">",
		"<svg><script>" + run + "</script></svg>", "<svg><animate onbegin=" + run + " attributeName=x dur=1s>", "<math><mtext><script>" + run + "</script></mtext></math>", "<body onload=" + run + ">", "<iframe src=javascript:" + run + "></iframe>",
		"<iframe srcdoc='<script>parent." + run + "</script>'></iframe>", "<object data=javascript:" + run + ">", "<embed src=javascript:" + run + ">", "<a href=javascript:" + run + ">x</a>", "<form action=javascript:" + run + "><button>x</button></form>",
		"<input autofocus onfocus=" + run + ">", "<select autofocus onfocus=" + run + "></select>", "<textarea autofocus onfocus=" + run + "></textarea>", "<details open ontoggle=" + run + "></details>", "<video><source onerror=" + run + "></video>",
		"<audio src=x onerror=" + run + "></audio>", "<marquee onstart=" + run + "></marquee>", "<meta http-equiv=refresh content='0;url=javascript:" + run + "'>", "<link rel=stylesheet href=//evil.example/x.css>", "<style>*{background:url(//evil.example/x)}</style>",
		"<base href=//evil.example/>", "<template><script>" + run + "</script></template>", "<noscript><p title='</noscript><img src=x onerror=" + run + ">'></noscript>", "<!--><script>" + run + "</script>-->", "<![CDATA[<script>" + run + "</script>]]>", "<xmp><script>" + run + "</script>",
		"</title><script>" + run + "</script>", "</textarea><script>" + run + "</script>", "</pre></div></main><script>" + run + "</script>", `" onmouseover="` + run + `" x="`, `' onmouseover='` + run + `' x='`, "` onmouseover=`" + run + "`", `"><script>` + run + `</script>`, `'><script>` + run + `</script>`,
		"javascript:" + run, "JaVaScRiPt:" + run, "java\tscript:" + run, "data:text/html,<script>" + run + "</script>", "{{" + run + "}}", "{{constructor.constructor('" + run + "')()}}", "${" + run + "}", "<%= " + run + " %>", "&lt;script&gt;" + run + "&lt;/script&gt;", "&#60;script&#62;" + run + "&#60;/script&#62;",
		`\u003cscript\u003e` + run + `\u003c/script\u003e`, "\x1b]8;;javascript:" + run + "\x07click\x1b]8;;\x07", "\x1b[31m<script>" + run + "</script>\x1b[0m", "\x1b]0;<script>" + run + "</script>\x07", "\u202e<script>" + run + "</script>", "<script\x00>" + run + "</script>", "\x00<img src=x onerror=" + run + ">",
	}
	return all
}

// TestHarmless shows every payload where foreign text is shown: in titles, branches, causes, events, names and logs. No script of theirs runs, nothing of theirs becomes
// part of the page, and the pages' policy has nothing to refuse: it is the second wall, not the first.
func TestHarmless(t *testing.T) {
	t.Parallel()
	all := payloads()
	if len(all) < 60 {
		t.Fatalf("only %d payloads", len(all))
	}
	in := calm()
	began := time.Now().Add(-time.Hour).UTC()
	in.Lines = func(cluster.LogRequest) io.Reader {
		var b strings.Builder
		for i, p := range all {
			fmt.Fprintf(&b, "%s %s\n", began.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), p)
		}
		return strings.NewReader(b.String())
	}
	in.Said = nil
	for i, p := range all {
		in.Said = append(in.Said, diagnose.Event{Ref: diagnose.Ref{Kind: p, Name: p}, Reason: p, Message: p, Count: i, Last: began})
		in.Pods = append(in.Pods, cluster.Container{Pod: p, Name: p, State: "waiting", Reason: p})
	}
	in.Report = func(time.Duration) usage.Report {
		r := report(usage.FineFor)
		for _, p := range all {
			r.Pods = append(r.Pods, usage.Pod{PodPlan: cluster.PodPlan{Pod: p, Phase: p}, Points: r.Total[:3]})
			r.Marks = append(r.Marks, usage.Mark{At: time.Now(), Kind: usage.MarkRestart, Text: p})
			r.Quota = append(r.Quota, cluster.QuotaLine{Name: p, Used: p, Hard: p, Part: 1})
		}
		r.Note = all[0]
		return r
	}
	site, page := setup(t, in)
	for i, p := range all {
		pr := pages.Pull(i+1, p, p)
		pr.Author = p
		broke := preview.Diagnosis{Code: diagnose.CodeCrashLoop, Cause: p, Fix: p, Evidence: all, Blame: preview.BlameChange}
		_, err := site.Tell(t.Context(), pr.Key, pages.Hint(pr), pages.Deployed(pr)[0], preview.Event{Kind: preview.EventFailed, Diagnosis: &broke, Steps: []preview.Step{{Name: preview.StepReady, Attempts: 1, Outcome: preview.StepFailed, Note: p}}}, pages.There(pr))
		do(t, err)
	}
	visit := []string{"/", "/queue", "/deliveries", "/system", "/tokens", "/?q=" + strings.Repeat("%3Cscript%3E", 3)}
	for i := range all {
		if i%8 == 0 { // each page shows all of them; the titles differ
			visit = append(visit, fmt.Sprintf("/p/%s/%d", pages.Repository, i+1))
		}
	}
	for _, tab := range []string{"/logs", "/logs?grep=script", "/resources", "/events", "/config"} {
		visit = append(visit, fmt.Sprintf("/p/%s/1%s", pages.Repository, tab))
	}
	for _, path := range visit {
		do(t, page.Go(site.URL+path))
		if strings.Contains(path, "/logs") {
			do(t, page.Until("document.querySelectorAll('#log .line').length > 20"))
		}
		var got struct {
			Ran             bool
			Refused, Strays []string
		}
		do(t, page.Eval(`({
			Ran: window.__ran !== undefined, Refused: window.__refused,
			Strays: [...document.querySelectorAll('script:not([src^="/static/"]), img, image, iframe, object, embed, video, audio, base, meta[http-equiv], style, template, marquee, math, animate, [srcdoc], a[href^="javascript:" i], a[href^="data:" i], form[action^="javascript:" i]')]
				.concat([...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on')))).map(e => e.outerHTML.slice(0, 100)),
		})`, &got))
		if said := page.Said(); got.Ran || len(got.Refused)+len(got.Strays)+len(said) > 0 {
			t.Errorf("%s: a script ran: %v; refused: %q; strays: %q; said: %q", path, got.Ran, got.Refused, got.Strays, said)
		}
	}
}

// TestRefused shows that what TestHarmless looks for would be seen.
func TestRefused(t *testing.T) {
	t.Parallel()
	site, page := setup(t, calm())
	do(t, page.Go(site.URL+"/queue"))
	do(t, page.Eval(`{ const d = document.createElement('div'); d.innerHTML = '<img src="//evil.example/x.png" onerror="window.__ran=1">'; document.body.append(d); }`, nil))
	do(t, page.Until("window.__refused.length > 0"))
	var ran bool
	do(t, page.Eval("window.__ran !== undefined", &ran))
	if ran {
		t.Error("the policy lets a handler in an attribute run")
	}
	if said := page.Said(); len(said) == 0 {
		t.Error("nothing was said of what the policy refused")
	}
}

// TestLongLog follows a log of 100,000 lines: all of them are there, at most 200 are drawn, and those at the end are the last ones.
func TestLongLog(t *testing.T) {
	t.Parallel()
	const many = 100_000
	in := calm()
	began := time.Now().Add(-time.Hour).UTC()
	in.Pods = []cluster.Container{{Pod: "web-1", Name: "web", State: "running", StartedAt: began}}
	in.Lines = func(r cluster.LogRequest) io.Reader {
		n := 100
		if r.Follow {
			n = many
		}
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s line %d of a log that goes on and on\n", began.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), i)
		}
		return strings.NewReader(b.String())
	}
	site, page := setup(t, in)
	pr := pages.Pull(1, "A chatty one", "chatty")
	_, err := site.Tell(t.Context(), pr.Key, append([]preview.Event{pages.Hint(pr)}, pages.Deployed(pr)...)...)
	do(t, err)
	do(t, page.Go(fmt.Sprintf("%s/p/%s/1/logs", site.URL, pages.Repository)))
	do(t, page.Until("document.getElementById('log-state').textContent.includes('100,000 lines')"))
	do(t, page.Until(fmt.Sprintf("document.getElementById('log').textContent.includes('line %d of')", many-1)))
	rows := func(where string) {
		t.Helper()
		var n int
		do(t, page.Eval("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(document.querySelectorAll('#log .line').length))))", &n))
		if n == 0 || n > 200 {
			t.Errorf("%s: %d rows are drawn", where, n)
		}
	}
	rows("at the end")
	for _, where := range []string{"0", "box.scrollHeight / 2", "box.scrollHeight"} {
		do(t, page.Eval("{ const box = document.getElementById('log'); box.scrollTop = "+where+"; }", nil))
		rows(where)
	}
	do(t, page.Eval("document.getElementById('log').scrollTop = 0", nil))
	do(t, page.Until("document.getElementById('follow').textContent === 'Follow' && document.getElementById('log').textContent.includes('line 0 of')"))
}

// TestLogViewer: it follows until the reader goes up, goes on when they say so, and a line's address leads to the line.
func TestLogViewer(t *testing.T) {
	t.Parallel()
	site, page := setup(t, calm())
	do(t, site.Fill(t.Context()))
	do(t, page.Look(Look{Width: 1440, Height: 500}))
	address := fmt.Sprintf("%s/p/%s/%d/logs", site.URL, pages.Repository, pages.Running)
	const following = "document.getElementById('follow').textContent === 'Following'"
	do(t, page.Go(address))
	do(t, page.Until("document.getElementById('log-state').textContent.startsWith('180 lines') && "+following)) // of both containers and the run before, each once
	do(t, page.Eval("document.getElementById('log').scrollTop = 40", nil))
	do(t, page.Until("!("+following+")"))
	do(t, page.Press("f"))
	do(t, page.Until(following+" && document.getElementById('log').scrollTop > 400"))
	do(t, page.Eval("document.getElementById('log').scrollTop = 0", nil))
	do(t, page.Until("document.querySelector('#log .line')?.style.top === '0px'"))
	do(t, page.Eval("document.querySelectorAll('#log .line')[7].click()", nil))
	var at, text string
	do(t, page.Until("location.hash.startsWith('#L')"))
	do(t, page.Eval("location.href", &at))
	do(t, page.Eval("document.querySelector('#log .chosen .from').nextSibling.textContent", &text))
	do(t, page.Go(site.URL+"/"))
	do(t, page.Go(at))
	do(t, page.Until("document.querySelector('#log .chosen') && !("+following+")"))
	var again string
	do(t, page.Eval("document.querySelector('#log .chosen .from').nextSibling.textContent", &again))
	if text == "" || again != text {
		t.Errorf("the address of %q leads to %q", text, again)
	}
	// The chosen line is copied; when none is chosen, all are.
	do(t, page.Eval("window.__copied = ''; const real = navigator.clipboard.writeText.bind(navigator.clipboard); navigator.clipboard.writeText = text => { window.__copied = text; return real(text); }", nil))
	copies := func(says string) (copied string) {
		t.Helper()
		do(t, page.Eval("document.getElementById('copy').focus()", nil))
		do(t, page.Press("Enter"))
		do(t, page.Until("document.getElementById('copy').textContent === '"+says+"'"))
		do(t, page.Eval("window.__copied", &copied))
		return copied
	}
	if one := copies("Copied 1"); strings.Count(one, "\n") != 1 || !strings.Contains(one, text) {
		t.Errorf("the chosen line %q was copied as %q", text, one)
	}
	do(t, page.Eval("document.querySelector('#log .chosen').click()", nil))
	do(t, page.Until("!document.querySelector('#log .chosen') && location.hash === ''"))
	if all := copies("Copied 180"); strings.Count(all, "\n") != 180 || strings.Contains(all, "\x1b") {
		t.Errorf("%d lines were copied, want 180 without escapes", strings.Count(all, "\n"))
	}
}

// TestLogWraps: on a phone no line is cut off: each takes the rows it needs and stands under the one before it, from the first to the last.
// What happened stands between the lines.
func TestLogWraps(t *testing.T) {
	t.Parallel()
	in, began := calm(), time.Now().Add(-time.Hour)
	long := strings.Repeat("a long line ", 40) + "\u6f22\u5b57 \U0001f680 "
	in.Lines = func(cluster.LogRequest) io.Reader {
		var b strings.Builder
		for i := range 300 {
			fmt.Fprintf(&b, "%s %d %s\n", began.Add(time.Duration(i)*time.Second).UTC().Format(time.RFC3339Nano), i, long[:(i*37)%480]+long[480:])
		}
		return strings.NewReader(b.String())
	}
	site, page := setup(t, in)
	do(t, site.Fill(t.Context()))
	do(t, page.Look(Look{Width: 390, Height: 844}))
	do(t, page.Go(fmt.Sprintf("%s/p/%s/%d/logs", site.URL, pages.Repository, pages.Running)))
	do(t, page.Until("document.querySelector('#log .line.happened')"))
	do(t, page.Until("document.getElementById('wrap').getAttribute('aria-pressed') === 'true'"))
	const fits = `(() => {
		const box = document.getElementById('log'), rows = [...box.querySelectorAll('.space .line')];
		const whole = rows.every((row, i) => !i || Math.abs(row.offsetTop - rows[i - 1].offsetTop - rows[i - 1].offsetHeight) < 1);
		return rows.length > 10 && whole && box.scrollWidth <= box.clientWidth && rows.some(row => row.offsetHeight > 60);
	})()`
	do(t, page.Until(fits))
	for _, at := range []string{"0", "box.scrollHeight / 3", "box.scrollHeight"} {
		do(t, page.Eval("{ const box = document.getElementById('log'); box.scrollTop = "+at+"; }", nil))
		do(t, page.Until(fits))
	}
	do(t, page.Until("document.getElementById('log').getBoundingClientRect().bottom - [...document.querySelectorAll('#log .line')].at(-1).getBoundingClientRect().bottom < 30"))
	do(t, page.Press("w"))
	do(t, page.Until("[...document.querySelectorAll('#log .space .line')].every(row => row.offsetHeight === 20)"))
	// Who reads in the middle stays there.
	var middle, after string
	const at = "(() => { const box = document.getElementById('log').getBoundingClientRect(); return [...document.querySelectorAll('#log .space .line')].find(row => row.getBoundingClientRect().top >= box.top - 1).textContent.slice(0, 40); })()"
	const drawn = "[...document.querySelectorAll('#log .space .line')].some(row => Math.abs(row.getBoundingClientRect().top - document.getElementById('log').getBoundingClientRect().top) < 25)"
	do(t, page.Eval("{ const box = document.getElementById('log'); box.scrollTop = 6000; }", nil))
	do(t, page.Until("document.getElementById('follow').textContent === 'Follow' && "+drawn))
	do(t, page.Eval(at, &middle))
	do(t, page.Press("w"))
	do(t, page.Until(fits+" && "+drawn))
	do(t, page.Eval(at, &after))
	if middle != after {
		t.Errorf("wrapped, the first line that is shown is %q, and was %q", after, middle)
	}
}

// TestLogBegins: the log of a preview in which nothing runs yet is not asked for again and again, and is there by itself when something runs.
func TestLogBegins(t *testing.T) {
	t.Parallel()
	site, page := setup(t, calm())
	pr := pages.Pull(1, "A new one", "new")
	_, err := site.Tell(t.Context(), pr.Key, pages.Hint(pr))
	do(t, err)
	do(t, page.Go(fmt.Sprintf("%s/p/%s/1/logs", site.URL, pages.Repository)))
	do(t, page.Until(listens))
	var shown string
	do(t, page.Eval("getComputedStyle(document.getElementById('log')).display", &shown))
	if shown != "none" {
		t.Errorf("an empty log is shown: display %s", shown)
	}
	const streams = "performance.getEntriesByType('resource').filter(e => e.name.includes('/logs/stream')).length"
	var asked int
	do(t, page.Eval(streams, &asked))
	if asked != 0 {
		t.Errorf("the stream of nothing was asked for %d times", asked)
	}
	_, err = site.Tell(t.Context(), pr.Key, pages.Deployed(pr)...)
	do(t, err)
	do(t, page.Until("document.querySelectorAll('#log .line').length > 10"))
}
