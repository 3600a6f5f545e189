// The log viewer: a list that draws only the lines that can be seen, follows the server, and says where each line is. Without it the page shows the same lines as text.
import { pieces, plain } from './ansi.js';

const box = document.getElementById('log'), api = box.dataset.api;
const query = new URLSearchParams(location.search);
const height = 20, most = 200_000, over = 40;
let lines = [], skipped = 0, follow = true, chosen = null, mode = 'local', earlier = null, source, found = -1, drawing = false, last = '', shown = 0, opened = false;
const ids = new Set();
const key = l => l.id + ' ' + l.pod + '/' + l.container;
const anchor = l => 'L' + l.id + '@' + l.pod + '/' + l.container;
const ns = l => l.id.slice(0, l.id.indexOf('-')); // nanoseconds; all of one length, so they compare as text
const word = (query.get('grep') || '').toLowerCase();

const space = document.createElement('div');
space.className = 'space';
document.getElementById('log-plain').remove();
box.append(space);
const state = document.getElementById('log-state'), followButton = document.getElementById('follow'), timesButton = document.getElementById('times'), olderButton = document.getElementById('older');
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

function draw(l, i) {
  const row = document.createElement('div');
  row.className = 'line ' + (l.level || '') + (chosen === key(l) ? ' chosen' : '');
  row.style.top = i * height + 'px';
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
  row.addEventListener('click', () => choose(l));
  return row;
}

function render() {
  drawing = false;
  space.style.height = lines.length * height + 'px';
  if (follow) box.scrollTop = box.scrollHeight;
  shown = box.scrollTop;
  const first = Math.max(0, Math.floor(box.scrollTop / height) - over), last = Math.min(lines.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + over);
  space.replaceChildren(...lines.slice(first, last).map((l, i) => draw(l, first + i)));
}
function schedule() { if (!drawing) { drawing = true; requestAnimationFrame(render); } }

function add(more, before) {
  const fresh = more.filter(l => !ids.has(key(l)));
  fresh.forEach(l => ids.add(key(l)));
  if (before) {
    lines = fresh.concat(lines);
    if (found >= 0) found += fresh.length;
    box.scrollTop += fresh.length * height;
  } else {
    const late = lines.length && fresh.length && ns(fresh[0]) < ns(lines[lines.length - 1]);
    for (const l of fresh) lines.push(l);
    if (late) lines.sort((a, b) => ns(a) < ns(b) ? -1 : ns(a) > ns(b) ? 1 : 0);
  }
  if (lines.length > most) {
    const gone = lines.splice(0, lines.length - most);
    gone.forEach(l => ids.delete(key(l)));
    skipped += gone.length;
    found = Math.max(-1, found - gone.length);
  }
  if (lines.length) document.getElementById('log-note')?.remove();
  status();
  schedule();
}
function status() {
  state.textContent = lines.length.toLocaleString() + ' lines' + (skipped ? ', ' + skipped.toLocaleString() + ' older ones not kept here' : '') + (source && source.readyState !== EventSource.OPEN ? opened ? ' · reconnecting' : ' · connecting' : '');
}

function choose(l) {
  chosen = key(l);
  setFollow(false);
  history.replaceState(null, '', location.pathname + location.search + '#' + anchor(l));
  render();
}
function setFollow(on) { follow = on; followButton.textContent = on ? 'Following' : 'Follow'; followButton.setAttribute('aria-pressed', on); if (on) schedule(); }
followButton.addEventListener('click', () => setFollow(!follow));
timesButton.addEventListener('click', () => { mode = { local: 'UTC', UTC: 'ago', ago: 'off', off: 'local' }[mode]; timesButton.textContent = 'Times: ' + mode; render(); });
box.addEventListener('wheel', e => { if (e.deltaY < 0) setFollow(false); }, { passive: true });
box.addEventListener('touchmove', () => setFollow(false), { passive: true });
// Where the reader comes to the end, it is followed; where they go up, by whatever means, it is not any more.
box.addEventListener('scroll', () => {
  if (box.scrollTop + box.clientHeight >= box.scrollHeight - height) { if (!follow && !chosen) setFollow(true); } else if (box.scrollTop < shown) setFollow(false);
  schedule();
}, { passive: true });
addEventListener('resize', schedule);

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
    if (plain(lines[i].text).toLowerCase().includes(word)) {
      found = i; setFollow(false); chosen = key(lines[i]);
      box.scrollTop = i * height - box.clientHeight / 2; render(); return;
    }
  }
}
addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, select, textarea, dialog')) return;
  if (e.key === 'f') setFollow(!follow);
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
  if (at() >= 0) { chosen = key(lines[at()]); box.scrollTop = at() * height - box.clientHeight / 2; render(); }
}
// Where nothing runs there is no log yet: its stream would be refused again and again. The page is brought up to date by itself, and tells when there is one.
const idle = document.getElementById('idle');
if (idle.textContent) new MutationObserver((_, o) => { if (!idle.textContent) { o.disconnect(); start(); } }).observe(idle, { childList: true }); else start();
