// Comfort on top of pages that work without it: dates in the reader's zone, select all, keys, guards. No state lives here.

const each = (selector, act) => document.querySelectorAll(selector).forEach(act);
const lang = document.documentElement.lang || undefined;

// Dates in the reader's own time zone.
const sameDay = (a, b) => a.toDateString() === b.toDateString();
function shortDate(then) {
  const now = new Date();
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(then).setHours(0, 0, 0, 0)) / 86400000);
  if (sameDay(then, now)) return then.toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit", hour12: false });
  if (days === 1) return "Yesterday";
  if (days > 1 && days < 7) return then.toLocaleDateString(lang, { weekday: "short" });
  const year = then.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year });
}
each("time[datetime]", (time) => {
  const then = new Date(time.dateTime);
  if (Number.isNaN(then.getTime())) return;
  const full = then.toLocaleString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  time.title = full;
  time.textContent = "full" in time.dataset ? full : shortDate(then);
});

// Select all, and a range with Shift.
const picks = [...document.querySelectorAll(".row input[name=m]")];
each("[data-all]", (all) => {
  all.closest("[hidden]").hidden = picks.length === 0;
  all.addEventListener("change", () => picks.forEach((pick) => (pick.checked = all.checked)));
});
let last = -1;
picks.forEach((pick, index) =>
  pick.addEventListener("click", (event) => {
    if (event.shiftKey && last >= 0) {
      const [from, to] = [Math.min(last, index), Math.max(last, index)];
      picks.slice(from, to + 1).forEach((other) => (other.checked = pick.checked));
    }
    last = index;
  }),
);

// Keys, as in most webmail: only outside of fields, and never with Ctrl, Alt or Meta.
const go = (selector) => document.querySelector(selector)?.click();
const step = (by) => {
  const links = [...document.querySelectorAll(".row .open")];
  const at = links.findIndex((link) => link === document.activeElement || link.getAttribute("aria-current"));
  links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
};
const tool = (action) => {
  const reading = document.querySelector(`.tools [name=action][value=${action}]`);
  const ticked = picks.some((pick) => pick.checked) && document.querySelector(`.bulk [name=action][value=${action}]`);
  (ticked || reading)?.click();
};
const KEYS = {
  c: () => go("a.write"),
  "/": () => document.querySelector(".find input, #words")?.focus(),
  j: () => step(1),
  k: () => step(-1),
  u: () => go(".tools .back"),
  r: () => go('.replies a[href*="reply="]'),
  a: () => go('.replies a[href*="replyall="]'),
  f: () => go('.replies a[href*="forward="]'),
  e: () => tool("archive"),
  "!": () => tool("junk"),
  "#": () => tool("delete"),
};
document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (field || event.ctrlKey || event.altKey || event.metaKey || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});

// Writing: no double sending, no leaving by accident.
each("[data-compose]", (form) => {
  const typed = () => [...new FormData(form)].map(([name, value]) => (value instanceof File ? value.name : value)).join("\n");
  const before = typed();
  let leaving = false;
  form.addEventListener("submit", (event) => {
    if (leaving) event.preventDefault();
    leaving = true;
  });
  window.addEventListener("pageshow", () => (leaving = false));
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && typed() !== before) event.preventDefault();
  });
  const text = form.querySelector("textarea");
  if (!form.querySelector("#to").value) form.querySelector("#to").focus();
  else if (text.value) {
    text.focus();
    text.setSelectionRange(0, 0);
    text.scrollTop = 0;
  }
});

each("[data-print]", (button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
document.querySelector(".row .open[aria-current]")?.closest(".row").scrollIntoView({ block: "nearest" });
