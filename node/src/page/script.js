"use strict";
const $ = id => document.getElementById(id);
const KINDS = ["ahead of its turn", "at its turn", "plain transfer, no EVM", "run again at its turn"];

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
function shape(name, attributes = {}, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text != null) node.textContent = text;
  return node;
}
function nice(most, steps) {
  const raw = most / steps, power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find(step => step * power >= raw);
}
const number = (value, digits = 0) => value == null ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const times = value => value == null ? "–" : number(value, 2) + "×";
const percent = value => value == null ? "–" : number(100 * value) + " %";
function tiles(into, facts) {
  into.replaceChildren(...facts.filter(fact => fact[1] !== "–").map(([name, value]) => element("div", { class: "tile" }, element("b", {}, value), element("span", {}, name))));
}
function showTip(event, text) {
  const tip = $("tip");
  tip.textContent = text;
  tip.style.display = "block";
  tip.style.left = Math.max(0, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = Math.max(0, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)) + "px";
}
const hideTip = () => $("tip").style.display = "none";
function tip(node, text) {
  node.addEventListener("pointermove", event => showTip(event, text()));
  node.addEventListener("pointerleave", hideTip);
}
// A canvas, empty and as sharp as the screen, and the colours of the page.
function paper(canvas) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight, brush = canvas.getContext("2d");
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.font = "11px system-ui, sans-serif";
  const style = getComputedStyle(document.documentElement), known = {};
  return { brush, width, height, colour: name => known[name] ??= style.getPropertyValue(name).trim() };
}
// Now, and whenever the page looks different.
function always(draw) {
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
