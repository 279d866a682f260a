// Fetches a view again while somebody looks at it. Without a script everything works, with a reload by hand.
"use strict";
(() => {
  const PERIOD_MS = 30000;
  const main = document.getElementById("main");
  if (!main || main.dataset.refresh !== "yes") return;

  // Nobody is disturbed: not a person in the middle of a form, a selection, or a table that was scrolled.
  const busy = () =>
    document.hidden ||
    (main !== document.activeElement && main.contains(document.activeElement)) ||
    String(window.getSelection()) !== "";

  async function refresh() {
    if (busy()) return;
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    if (!fresh || busy() || fresh.innerHTML === main.innerHTML) return;
    const open = new Set([...main.querySelectorAll("details[open] > summary")].map((item) => item.textContent));
    main.replaceChildren(...fresh.childNodes);
    for (const item of main.querySelectorAll("details > summary"))
      if (open.has(item.textContent)) item.parentElement.open = true;
  }
  setInterval(() => refresh().catch(() => undefined), PERIOD_MS);
})();
