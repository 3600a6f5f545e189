// Colours of terminals, as text in spans with classes. Everything else that a terminal would obey is left out; nothing is ever parsed as HTML.

const escape = /\x1b\[([0-9;:]*)m|\x1b(?:\[[0-?]*[ -\/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -\/]*[0-~])|\x9b[0-?]*[ -\/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

// pieces splits a text into [text, classes].
export function pieces(text) {
  const out = [];
  let classes = new Set(), from = 0;
  const push = to => { if (to > from) out.push([text.slice(from, to), [...classes].join(' ')]); };
  for (const m of text.matchAll(escape)) {
    push(m.index);
    from = m.index + m[0].length;
    if (m[1] === undefined) continue;
    const codes = m[1] === '' ? [0] : m[1].split(/[;:]/).map(Number);
    for (let i = 0; i < codes.length; i++) {
      const c = codes[i];
      if (c === 0) classes = new Set();
      else if (c === 1 || c === 3 || c === 4) classes.add('a' + c);
      else if (c === 22) classes.delete('a1');
      else if (c === 23) classes.delete('a3');
      else if (c === 24) classes.delete('a4');
      else if (c === 38 || c === 48) i += codes[i + 1] === 5 ? 2 : 4; // of 256 or more: too fine for a palette that can be read in both themes
      else if ((c >= 30 && c <= 37) || (c >= 90 && c <= 97)) { drop(classes); classes.add('f' + c); } else if (c === 39) drop(classes);
    }
  }
  push(text.length);
  return out;
}

function drop(classes) { for (const c of [...classes]) if (c[0] === 'f') classes.delete(c); }

// plain is the text without any of it.
export function plain(text) { return pieces(text).map(p => p[0]).join(''); }
