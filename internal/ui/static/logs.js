// The log viewer: a list that draws only the lines that can be seen, follows the server, and says where each line is. Without it the page shows the same lines as text.
import { pieces, plain } from './ansi.js';

const box = document.getElementById('log'), api = box.dataset.api;
const query = new URLSearchParams(location.search);
const height = 20, most = 200_000, over = 40;
let lines = [], skipped = 0, follow = true, chosen = null, mode = 'local', earlier = null, source, found = -1, drawing = false, last = '', shown = 0, opened = false, marked = 0;
const ids = new Set();
// tops[i] is how many rows of text stand above line i. Wrapped, a line's rows are first told from its length, as every character is as wide as the others, and
// then measured where it is drawn: some are wider.
let tops = [0], wrap = false, columns = 1, timeLength = 0;
const key = l => l.id + ' ' + l.pod + '/' + l.container;
const anchor = l => 'L' + l.id + '@' + l.pod + '/' + l.container;
const ns = l => l.id.slice(0, l.id.indexOf('-')); // nanoseconds; all of one length, so they compare as text
const word = (query.get('grep') || '').toLowerCase();

const space = document.createElement('div');
space.className = 'space';
document.getElementById('log-plain').remove();
box.append(space);
const state = document.getElementById('log-state'), followButton = document.getElementById('follow'), timesButton = document.getElementById('times'), wrapButton = document.getElementById('wrap'), copyButton = document.getElementById('copy'), olderButton = document.getElementById('older');
document.getElementById('log-tools').hidden = false;

function filter(more) {
  const q = new URLSearchParams();
  for (const name of ['pod', 'container', 'grep', 'exclude', 'level', 'previous']) if (query.get(name)) q.set(name, query.get(name));
  for (const [name, value] of Object.entries(more || {})) if (value) q.set(name, value);
  return q.toString();
}

function when(l) {
  const at = new Date(l.at);
  if (mode === 'off') return '';
  if (mode === 'UTC') return at.toISOString().slice(11, 23) + ' ';
  if (mode === 'ago') return Math.round((Date.now() - at) / 1000) + ' s ';
  return at.toLocaleTimeString(undefined, { hour12: false }) + '.' + String(at.getMilliseconds()).padStart(3, '0') + ' ';
}

function span(text, name) { const s = document.createElement('span'); if (name) s.className = name; s.textContent = text; return s; }

function rows(l) {
  if (!wrap) return 1;
  if (l.columns === columns && l.mode === mode) return l.rows;
  l.length ??= plain(l.text).length + l.pod.length + l.container.length + 2;
  return Math.max(1, Math.ceil((timeLength + l.length + (l.cut ? 8 : 0)) / columns));
}
// place says anew where the lines from the given one on stand.
function place(from) {
  if (wrap && lines.length) timeLength = when(lines[lines.length - 1]).length;
  tops.length = from + 1;
  for (let i = from; i < lines.length; i++) tops.push(tops[i] + rows(lines[i]));
  space.style.height = tops[lines.length] * height + 'px'; // at once: who scrolls next is stopped at it
}
// lineAt is the line at a height of the list.
function lineAt(y) {
  let low = 0, high = lines.length;
  for (const row = Math.floor(y / height); low < high;) { const mid = (low + high) >> 1; if (tops[mid + 1] <= row) low = mid + 1; else high = mid; }
  return low;
}
function measure() {
  const probe = span('x'.repeat(100)), line = document.createElement('div');
  line.className = 'line';
  line.append(probe);
  space.append(line);
  const before = columns;
  columns = Math.max(10, Math.floor((box.clientWidth - 24) / (probe.getBoundingClientRect().width / 100)));
  line.remove();
  return columns !== before;
}
function setWrap(on) {
  const top = lineAt(box.scrollTop);
  wrap = on;
  box.classList.toggle('wrapped', on);
  wrapButton.setAttribute('aria-pressed', on);
  measure();
  place(0);
  if (!follow) box.scrollTop = tops[top] * height;
  schedule();
}

function draw(l, i) {
  const row = document.createElement('div');
  row.style.top = tops[i] * height + 'px';
  if (l.mark) {
    row.className = 'line happened';
    row.append(span(when(l), 'at'), span('— ' + l.text));
    return row;
  }
  row.className = 'line ' + (l.level || '') + (chosen === key(l) ? ' chosen' : '');
  row.title = new Date(l.at).toLocaleString() + ' ' + l.pod + '/' + l.container;
  row.append(span(when(l), 'at'), span(l.pod + '/' + l.container + ' ', 'from'));
  for (const [text, classes] of pieces(l.text)) {
    const lower = word ? text.toLowerCase() : '';
    let from = 0;
    for (let at = word ? lower.indexOf(word) : -1; at >= 0; at = lower.indexOf(word, from)) {
      row.append(span(text.slice(from, at), classes));
      const mark = document.createElement('mark');
      mark.textContent = text.slice(at, at + word.length);
      row.append(mark);
      from = at + word.length;
    }
    row.append(span(text.slice(from), classes));
  }
  if (l.cut) row.append(span(' … (cut)', 'muted'));
  row.addEventListener('click', () => { if (getSelection().isCollapsed) choose(l); }); // not while text is being marked, to be copied
  return row;
}

function render() {
  drawing = false;
  if (follow) box.scrollTop = box.scrollHeight;
  shown = box.scrollTop;
  const first = Math.max(0, lineAt(box.scrollTop) - over), last = Math.min(lines.length, lineAt(box.scrollTop + box.clientHeight) + 1 + over);
  space.replaceChildren(...lines.slice(first, last).map((l, i) => draw(l, first + i)));
  if (!wrap) return;
  let wrong = -1;
  const tall = [...space.children].map(row => row.offsetHeight);
  for (const [i, row] of [...space.children].entries()) {
    const l = lines[first + i], told = rows(l);
    [l.rows, l.columns, l.mode] = [Math.max(1, Math.floor((tall[i] + height / 4) / height)), columns, mode];
    row.style.height = l.rows * height + 'px'; // a character from another font may stand out by a little
    if (l.rows !== told && wrong < 0) wrong = first + i;
  }
  if (wrong < 0) return;
  const top = lineAt(box.scrollTop), into = box.scrollTop - tops[top] * height;
  place(wrong);
  if (!follow) box.scrollTop = tops[top] * height + into;
  schedule();
}
function schedule() { if (!drawing) { drawing = true; requestAnimationFrame(render); } }

function add(more, before) {
  const fresh = more.filter(l => !ids.has(key(l))), had = lines.length;
  fresh.forEach(l => ids.add(key(l)));
  let from = had;
  if (before) {
    lines = fresh.concat(lines);
    if (found >= 0) found += fresh.length;
    from = 0;
  } else {
    for (const l of fresh) lines.push(l);
    if (had && fresh.length && ns(fresh[0]) < ns(lines[had - 1])) { sort(); from = 0; }
  }
  if (lines.length > most) {
    const gone = lines.splice(0, lines.length - most);
    for (const l of gone) { if (l.mark) marked--; else ids.delete(key(l)); }
    skipped += gone.filter(l => !l.mark).length;
    found = Math.max(-1, found - gone.length);
    from = 0;
  }
  place(from);
  if (before) box.scrollTop += tops[fresh.length] * height;
  mark();
  if (lines.length) document.getElementById('log-note')?.remove();
  status();
  schedule();
}
function sort() {
  const match = lines[found];
  lines.sort((a, b) => ns(a) < ns(b) ? -1 : ns(a) > ns(b) ? 1 : 0);
  if (match) found = lines.indexOf(match);
}

// mark puts what happened between the lines, as far back as there are lines.
function mark() {
  if (!lines.length) return;
  const since = ns(lines[0]);
  const fresh = [...document.querySelectorAll('#marks li')].map(li => ({ id: li.dataset.at.padStart(since.length, '0') + '-0', at: Number(li.dataset.at) / 1e6, pod: '', container: '', text: li.textContent, mark: true }))
    .filter(l => ns(l) >= since && !ids.has(l.id + l.text));
  if (!fresh.length) return;
  const at = lineAt(box.scrollTop), top = lines[at];
  for (const l of fresh) { ids.add(l.id + l.text); lines.push(l); marked++; }
  sort();
  place(0);
  if (!follow && top) box.scrollTop += (tops[lines.indexOf(top)] - tops[at]) * height;
  schedule();
}
new MutationObserver(mark).observe(document.getElementById('marks'), { childList: true });
function status() {
  const n = lines.length - marked;
  state.textContent = n.toLocaleString() + ' lines' + (skipped ? ', ' + skipped.toLocaleString() + ' older ones not kept here' : '') + (source && source.readyState !== EventSource.OPEN ? opened ? ' · reconnecting' : ' · connecting' : '');
}

function choose(l) {
  if (chosen === key(l)) {
    chosen = null;
    history.replaceState(null, '', location.pathname + location.search);
    render();
    return;
  }
  chosen = key(l);
  setFollow(false);
  history.replaceState(null, '', location.pathname + location.search + '#' + anchor(l));
  render();
}
function setFollow(on) { follow = on; followButton.textContent = on ? 'Following' : 'Follow'; followButton.setAttribute('aria-pressed', on); if (on) schedule(); }
followButton.addEventListener('click', () => setFollow(!follow));
timesButton.addEventListener('click', () => { mode = { local: 'UTC', UTC: 'ago', ago: 'off', off: 'local' }[mode]; timesButton.textContent = 'Times: ' + mode; place(0); render(); });
wrapButton.addEventListener('click', () => setWrap(!wrap));
// What is chosen is copied, or all that is here.
copyButton.addEventListener('click', async () => {
  const some = lines.filter(l => !l.mark && (!chosen || key(l) === chosen));
  const text = some.map(l => new Date(l.at).toISOString() + ' ' + l.pod + '/' + l.container + ' ' + plain(l.text) + '\n').join('');
  try { await navigator.clipboard.writeText(text); copyButton.textContent = 'Copied ' + some.length.toLocaleString(); } catch { copyButton.textContent = 'Not allowed to copy'; }
  setTimeout(() => { copyButton.textContent = 'Copy'; }, 3000);
});
box.addEventListener('wheel', e => { if (e.deltaY < 0) setFollow(false); }, { passive: true });
box.addEventListener('touchmove', () => setFollow(false), { passive: true });
// Where the reader comes to the end, it is followed; where they go up, by whatever means, it is not any more.
box.addEventListener('scroll', () => {
  if (box.scrollTop + box.clientHeight >= box.scrollHeight - height) { if (!follow && !chosen) setFollow(true); } else if (box.scrollTop < shown) setFollow(false);
  schedule();
}, { passive: true });
addEventListener('resize', () => { if (wrap && measure()) setWrap(true); else schedule(); });

olderButton.addEventListener('click', () => older());
async function older() {
  if (!earlier) return false;
  const answer = await fetch(api + '?' + filter({ tail: 2000, cursor: earlier }));
  if (!answer.ok) return false;
  const page = await answer.json();
  earlier = page.previous || null;
  olderButton.hidden = !earlier;
  setFollow(false);
  add(page.lines, true);
  return page.lines.length > 0;
}

function jump(by) {
  if (!word) return;
  for (let i = found < 0 && by < 0 ? lines.length - 1 : found + by; i >= 0 && i < lines.length; i += by) {
    if (!lines[i].mark && plain(lines[i].text).toLowerCase().includes(word)) {
      found = i; setFollow(false); chosen = key(lines[i]);
      box.scrollTop = tops[i] * height - box.clientHeight / 2; render(); return;
    }
  }
}
addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, select, textarea, dialog')) return;
  if (e.key === 'f') setFollow(!follow);
  else if (e.key === 'w') setWrap(!wrap);
  else if (e.key === 'T') timesButton.click();
  else if (e.key === 'n') jump(1);
  else if (e.key === 'N') jump(-1);
});

// stream goes on where it broke: the browser sends the last event's id, which has a place for each container. It gives up at an answer that is not a stream (nothing
// runs yet, a proxy whose server restarts); then it is begun again from the same place.
function stream() {
  source = new EventSource(api + '/stream?' + filter(last ? { cursor: last } : { tail: 500 }));
  source.addEventListener('lines', e => { last = e.lastEventId || last; add(JSON.parse(e.data), false); });
  source.addEventListener('error', () => { status(); if (source.readyState === EventSource.CLOSED) setTimeout(stream, 5000); });
  source.addEventListener('open', () => { opened = true; status(); });
}
addEventListener('pagehide', () => source?.close());
addEventListener('pageshow', e => { if (e.persisted && source) stream(); });

// The stream is opened before the page of lines is read: what is written in between comes by one or by both, and is shown once.
async function start() {
  if (!query.get('previous')) stream();
  const answer = await fetch(api + '?' + filter({ tail: 500 }));
  if (!answer.ok) { state.textContent = 'The log cannot be read now.'; return; }
  const page = await answer.json();
  earlier = page.previous || null;
  olderButton.hidden = !earlier;
  add(page.lines, false);
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (!wanted.startsWith('L')) return;
  setFollow(false);
  const at = () => lines.findIndex(l => anchor(l) === wanted || 'L' + l.id === wanted);
  for (let i = 0; at() < 0 && i < 20 && await older(); i++);
  if (at() >= 0) { chosen = key(lines[at()]); box.scrollTop = tops[at()] * height - box.clientHeight / 2; render(); }
}
setWrap(matchMedia('(max-width: 40rem)').matches); // a phone has no room for long lines
// Where nothing runs there is no log yet: its stream would be refused again and again. The page is brought up to date by itself, and tells when there is one.
const idle = document.getElementById('idle');
if (idle.textContent) new MutationObserver((_, o) => { if (!idle.textContent) { o.disconnect(); setWrap(wrap); start(); } }).observe(idle, { childList: true }); else start();
