// The page asks the server for pieces of itself and puts them in place; every text in them was escaped there.
"use strict";

const $ = (id) => document.getElementById(id);
const state = { view: "queue", at: 0, waiting: 0, asking: 0 };
const lists = { queue: "/queue", phrases: "/phrases" };

// `wanted` says whether the answer is still wanted once it is there.
async function ask(path, data, wanted = () => true) {
  busy(1);
  try {
    const answer = await fetch(path, data && { method: "POST", body: JSON.stringify(data) });
    if (answer.status === 403) throw new Error("This session has ended. Open the link that the terminal shows now.");
    const told = await answer.json();
    if (!wanted()) return null;
    for (const [id, html] of Object.entries(told.panels || {})) $(id).innerHTML = html;
    if (told.said) say(told.said, !answer.ok);
    return answer.ok ? told : null;
  } catch (error) {
    say(error instanceof TypeError ? "overread no longer runs. Start it again in the terminal: overread vocab edit" : error.message, true);
    return null;
  } finally {
    busy(-1);
  }
}

function busy(more) {
  state.asking += more;
  document.querySelector("main").setAttribute("aria-busy", state.asking > 0);
}

function say(text, wrong = false) {
  $("said").textContent = (wrong ? "\u26A0 " : "") + text;
  $("said").classList.toggle("wrong", wrong);
}

// What is typed is asked for once the typing pauses; an answer that comes late is not shown.
function calm(work, wait) {
  let timer;
  return () => { clearTimeout(timer); timer = setTimeout(work, wait); };
}

/* The list */
const rows = () => [...document.querySelectorAll("#rows > li:not([hidden])")];
const chosen = () => document.querySelector("#rows > li[aria-selected=true]");

async function choose(at, again = true) {
  const all = rows();
  if (!all.length) { $("middle").replaceChildren(); return; }
  state.at = Math.max(0, Math.min(at, all.length - 1));
  const row = all[state.at];
  chosen()?.setAttribute("aria-selected", "false");
  row.setAttribute("aria-selected", "true");
  $("rows").setAttribute("aria-activedescendant", row.id);
  row.scrollIntoView({ block: "nearest" });
  if (again || row.dataset.key !== state.key) await show(row.dataset.key);
}

let asked = 0;
async function show(key) {
  const mine = ++asked;
  effects++;
  state.key = key;
  const path = state.view === "queue" ? "/suggestion?wording=" : "/phrase?id=";
  const told = await ask(path + encodeURIComponent(key), undefined, () => mine === asked);
  if (mine !== asked) return;
  if (told?.panels.effect) poll();
  else if (state.view === "queue") await effect();
  else await ask("/disagreements?id=" + encodeURIComponent(key), undefined, () => mine === asked && $("touched"));
}

let listings = 0;
async function list(view = state.view, at = state.at, change, data) {
  const mine = ++listings;
  const owner = $("owner")?.value;
  clearTimeout(state.waiting);
  state.view = view;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const here = tab.dataset.view === view;
    tab.setAttribute("aria-selected", here);
    tab.tabIndex = here ? 0 : -1;
    if (here) $("list").setAttribute("aria-labelledby", tab.id);
  }
  const scroll = $("rows")?.scrollTop ?? 0;
  const held = document.activeElement?.id;
  const sought = $("find")?.value;
  const path = lists[view] + (owner ? "?owner=" + encodeURIComponent(owner) : "");
  const told = await (change ? ask(change, { owner, ...data, view }) : ask(path, undefined, () => mine === listings));
  if (mine !== listings) return told;
  if (!told) { poll(); return null; }
  if (change && $("sentence").value) tried();
  if ($("rows")) $("rows").scrollTop = scroll;
  if (sought && $("find")) {
    $("find").value = sought; find();
    if (!rows().length) { $("find").value = ""; find(); }  // the last that was sought is decided
  }
  if (["find", "owner", "rows"].includes(held)) $(held)?.focus();
  // While its result is awaited the list comes anew: nobody shall lose what they are typing meanwhile.
  const back = rows().findIndex((row) => row.dataset.key === told.wording);
  await choose(back < 0 ? at : back, change || !$("middle").contains(document.activeElement));
  poll();
  return told;
}

function find() {
  const sought = $("find").value.toLowerCase();
  for (const row of document.querySelectorAll("#rows > li")) row.hidden = !row.dataset.key.includes(sought);
}

// Ranking and counting run beside the page; what they bring is asked for until it is there.
function poll() {
  clearTimeout(state.waiting);
  const awaited = [...document.querySelectorAll("[data-waiting]")].map((each) => each.dataset.waiting).filter(Boolean);
  if (!awaited.length) return;
  state.waiting = setTimeout(async () => {
    if (awaited.includes("effect") && awaited.length === 1) await effect();
    else {
      await list();
      if ($("sentence").value) await tried();
    }
  }, 400);
}

/* The chosen phrase */
function edit() {
  return {
    wording: document.querySelector("[data-wording]").dataset.wording,
    text: $("text").value.trim(),
    owner: $("label").value,
    means: $("means").value,
  };
}

let effects = 0;
async function effect() {
  if (!$("label")?.value || !$("text").value.trim()) return;
  const mine = ++effects;
  await ask("/effect", edit(), () => mine === effects && $("effect"));
  poll();
}

async function decide(kind) {
  if (state.view !== "queue" || !$("text")) return;
  if (kind === "accept" && !$("label").value) { say("Choose the label first.", true); $("label").focus(); return; }
  await change("/" + kind, edit());
}

const undo = () => change("/undo", {});

// Whatever changes a decision or a file needs initials, and may change every part of the page.
async function change(path, data) {
  const by = $("by").value.trim();
  if (!by) { say("First your initials: they stand beside every decision.", true); $("by").focus(); return; }
  if (await list(state.view, state.at, path, { ...data, by })) focusList();
}

/* The sentence */
let tries = 0;
async function tried() {
  const mine = ++tries;
  await ask("/tried", { text: $("sentence").value }, () => mine === tries);
}

async function take() {
  const box = $("sentence");
  const words = box.value.slice(box.selectionStart, box.selectionEnd).trim() || box.value.trim();
  if (!words) return;
  if (state.view !== "queue") await list("queue", 0);
  chosen()?.setAttribute("aria-selected", "false");
  await show(words);
  $("label").focus();
}

/* Writing */
async function proposal() {
  if (await ask("/proposal", {})) $("proposal").showModal();
}

function focusList() { ($("rows") || $("sentence")).focus(); }

/* Keys */
const keys = {
  j: () => choose(state.at + 1), ArrowDown: () => choose(state.at + 1),
  k: () => choose(state.at - 1), ArrowUp: () => choose(state.at - 1),
  Home: () => choose(0), End: () => choose(rows().length - 1),
  PageDown: () => choose(state.at + 12), PageUp: () => choose(state.at - 12),
  a: () => decide("accept"), Enter: () => decide("accept"),
  r: () => decide("reject"), l: () => decide("later"), u: undo, w: proposal,
  c: () => $("label")?.focus(), e: () => { $("text")?.focus(); $("text")?.select(); },
  t: () => $("sentence").focus(), i: () => $("by").focus(),
  "/": () => ($("find") || $("owner"))?.focus(),
  1: () => list("queue", 0), 2: () => list("phrases", 0),
  "?": () => $("help").showModal(), Escape: focusList,
};

document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (document.querySelector("dialog[open]") || event.altKey || event.metaKey) return;
  if (event.ctrlKey) {
    if (event.key === "Enter" && at.id === "sentence") { event.preventDefault(); take(); }
    return;
  }
  if (at.matches("input, textarea, select")) {
    if (event.key === "Escape") { event.preventDefault(); focusList(); }
    if (event.key === "Enter" && ["text", "label", "means"].includes(at.id)) { event.preventDefault(); decide("accept"); }
    if (event.key === "Enter" && ["by", "find"].includes(at.id)) focusList();
    return;
  }
  if (at.matches("[role=tab]") && ["ArrowRight", "ArrowLeft"].includes(event.key)) {
    const other = document.querySelector("[role=tab][aria-selected=false]");
    other.focus(); list(other.dataset.view, 0);
    return;
  }
  if (at.matches("button") && ["Enter", " "].includes(event.key)) return;
  if (event.key.length === 1 && !$("keys-on").checked) return;
  const action = keys[event.key];
  if (action && !(event.repeat && "arluw".includes(event.key))) { event.preventDefault(); action(); }
});

document.addEventListener("click", (event) => {
  const row = event.target.closest("#rows > li");
  if (row) choose(rows().indexOf(row));
  const tab = event.target.closest("[role=tab]");
  if (tab) list(tab.dataset.view, 0);
  const act = event.target.closest("[data-act]");
  if (!act) return;
  if (act.dataset.act === "proposal") proposal();
  else if (act.dataset.act === "back") change("/back", { wording: act.dataset.key });
  else if (act.dataset.act === "unwrite") change("/unwrite", {});
  else decide(act.dataset.act);
});

const typed = calm(tried, 80), changed = calm(effect, 150);
document.addEventListener("input", (event) => {
  if (event.target.id === "sentence") typed();
  if (["text", "label", "means"].includes(event.target.id)) changed();
  if (event.target.id === "find") { find(); choose(0); }
  if (event.target.id === "owner") list("phrases", 0);
  if (event.target.id === "by") localStorage.setItem("by", event.target.value);
});

$("proposal").addEventListener("close", () => { if ($("proposal").returnValue === "write") change("/write", {}); else focusList(); });
$("help").addEventListener("close", () => focusList());

$("by").value = localStorage.getItem("by") || "";
choose(0).then(poll);
if ($("rows")) $("rows").focus();
