// Shows what changed without losing the reader's place or the details they opened.
setInterval(async () => {
  if (document.hidden) return;
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const now = document.querySelector("main"), next = page.querySelector("main");
    if (!next) return;
    now.querySelectorAll("details").forEach((d, i) => {
      const other = next.querySelectorAll("details")[i];
      if (other && d.dataset.touched) { other.open = d.open; other.dataset.touched = "1"; }
    });
    if (now.innerHTML !== next.innerHTML) { now.innerHTML = next.innerHTML; document.title = page.title; }
  } catch (e) { /* the server is restarting; the next round tries again */ }
}, 2000);
document.addEventListener("click", e => {
  const d = e.target.closest && e.target.closest("summary");
  if (d) d.parentElement.dataset.touched = "1";
});
