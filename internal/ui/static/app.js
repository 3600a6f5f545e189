// What every page does where there is a script: it keeps itself up to date, says times in the reader's zone, and listens to keys. Nothing here is needed to read a page.

const $ = (selector, root = document) => root.querySelector(selector);

// Times count on by themselves.
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
function times() {
  for (const t of document.querySelectorAll('time[datetime]')) {
    const at = new Date(t.dateTime);
    if (isNaN(at)) continue;
    const s = (at - Date.now()) / 1000;
    const [n, unit] = Math.abs(s) < 60 ? [s, 'second'] : Math.abs(s) < 3600 ? [s / 60, 'minute'] : Math.abs(s) < 172800 ? [s / 3600, 'hour'] : [s / 86400, 'day'];
    const text = relative.format(Math.round(n), unit);
    if (t.textContent !== text) t.textContent = text;
    t.title = at.toLocaleString();
  }
}
times();
setInterval(times, 10_000);

// The page is fetched again when the server says that it changed, and those of its parts that differ are replaced: what is unfolded stays so, and the focus where it is.
const indicator = $('#live');
let paused = false, stale = false, fetching = false, source;
function say(word) { if (indicator) { indicator.hidden = false; indicator.textContent = word; } }
// link says which row one is: a list that is fetched again may have another order.
function link(row) { return row && $('a', row)?.getAttribute('href'); }
async function refresh() {
  if (paused || fetching) { stale = true; return; }
  fetching = true; stale = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: 'text/html', 'Catalyst-Refresh': '1' } });
    if (answer.redirected && new URL(answer.url).pathname === '/login') { location.href = answer.url; return; }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    for (const part of document.querySelectorAll('[data-part]')) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.isEqualNode(part)) continue;
      const active = part.contains(document.activeElement) ? document.activeElement : null;
      const focused = active ? active.getAttribute('href') || active.id : '';
      const folds = [...part.querySelectorAll('details[open] > summary')].map(s => s.textContent);
      const fold = active?.matches('summary') ? active.textContent : null;
      const here = link($('.row.here', part));
      part.replaceChildren(...fresh.childNodes);
      if (focused) (part.querySelector(`[href="${CSS.escape(focused)}"]`) || document.getElementById(focused))?.focus();
      for (const s of part.querySelectorAll('details > summary')) {
        if (folds.includes(s.textContent)) s.parentElement.open = true;
        if (s.textContent === fold) s.focus();
      }
      if (here) [...part.querySelectorAll('.row')].find(r => link(r) === here)?.classList.add('here');
    }
    document.title = page.title;
    const icon = $('link[rel=icon]'), freshIcon = $('link[rel=icon]', page);
    if (icon && freshIcon && icon.getAttribute('href') !== freshIcon.getAttribute('href')) icon.href = freshIcon.href;
    times();
  } finally {
    fetching = false;
    if (stale && !paused) setTimeout(refresh, 100);
  }
}
function listen() {
  const at = document.body.dataset.live;
  if (!at) return;
  source = new EventSource(at);
  source.addEventListener('open', () => say(paused ? 'Paused' : 'Live'));
  source.addEventListener('change', refresh);
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) { say('Offline'); setTimeout(listen, 5000); } else say('Reconnecting');
  });
}
function pause() { paused = !paused; say(paused ? 'Paused' : 'Live'); if (!paused) refresh(); }
indicator?.addEventListener('click', pause);
addEventListener('pagehide', () => source?.close());
addEventListener('pageshow', e => { if (e.persisted) { listen(); } });
listen();
// Figures change without anything having happened.
if (document.body.dataset.every) setInterval(refresh, document.body.dataset.every * 1000);

// Keys. None of them does anything while somebody types.
const help = $('#help');
const opener = $('#help-open');
if (opener) { opener.hidden = false; opener.addEventListener('click', () => help.showModal()); }
let prefix = false;
const go = path => { location.href = path; };
function move(by) {
  const rows = [...document.querySelectorAll('main .row')];
  if (!rows.length) return;
  const now = rows.findIndex(r => r.classList.contains('here'));
  const next = rows[Math.max(0, Math.min(rows.length - 1, now + by))];
  rows.forEach(r => r.classList.toggle('here', r === next));
  (next.querySelector('a, button') || next).focus();
  next.scrollIntoView({ block: 'nearest' });
}
const tab = name => [...document.querySelectorAll('.tabs a')].find(a => a.textContent === name)?.click();
function rowLink(text) { return [...document.querySelectorAll('.row.here .links a')].find(a => a.textContent === text); }
const keys = {
  '?': () => help.showModal(), '/': () => $('#search')?.focus(), j: () => move(1), k: () => move(-1),
  o: () => (rowLink('Open') || $('#open'))?.click(), l: () => { const r = rowLink('Logs'); r ? r.click() : tab('Logs'); }, t: () => tab('Overview'), u: () => tab('Resources'), e: () => tab('Events'),
  r: () => { const d = $('#redeploy'); if (d) { d.open = true; $('form button', d).focus(); } },
  y: () => navigator.clipboard?.writeText(location.href), p: () => indicator && !prefix && pause(),
};
addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, select, textarea, dialog')) return;
  if (e.key === 'Escape') { const open = document.querySelector('details[open]'); if (open) { open.open = false; $('summary', open).focus(); } return; }
  if (prefix) {
    prefix = false;
    const to = { p: '/', q: '/queue', s: '/system', d: '/deliveries', t: '/tokens' }[e.key];
    if (to) { e.preventDefault(); go(to); }
    return;
  }
  if (e.key === 'g') { prefix = true; setTimeout(() => { prefix = false; }, 1000); return; }
  if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
});
