// Scrolls through the slices of a job. Keys work while the focus is within the slices; without this file the page's
// links do the same.

const viewer = document.getElementById("viewer");
const volumes = JSON.parse(viewer.dataset.volumes);
const figures = Object.fromEntries([...viewer.querySelectorAll("figure")].map((one) => [one.dataset.plane, one]));
const tabs = [...document.querySelectorAll("[data-key]")];
const wider = document.getElementById("wider");
const otherWindow = { qsm: "qsm-wide", "qsm-wide": "qsm" };
const state = { volume: viewer.dataset.volume, plane: viewer.dataset.plane };
for (const [plane, figure] of Object.entries(figures)) state[plane] = Number(figure.dataset.number);

const countOf = (plane) => Number(figures[plane].dataset.count);
const addressOf = (plane, number) =>
  `${viewer.dataset.base}/${state.volume}/${plane}/${number}.png?v=${volumes[state.volume].version}`;

function drawPlane(plane) {
  const figure = figures[plane], number = state[plane], count = countOf(plane), image = figure.querySelector("img");
  image.src = addressOf(plane, number);
  image.alt = `${volumes[state.volume].title}, ${plane} slice ${number} of ${count}`;
  figure.dataset.number = number;
  figure.querySelector(".place").textContent = `${number} of ${count}`;
  figure.querySelector("input").value = number;
}

function markState() {
  const { title, low, high } = volumes[state.volume];
  document.getElementById("low").textContent = low;
  document.getElementById("high").textContent = high;
  for (const tab of tabs) mark(tab, volumes[tab.dataset.volume].title === title);
  for (const [plane, figure] of Object.entries(figures)) {
    figure.classList.toggle("chosen", plane === state.plane);
    mark(figure.querySelector(".name"), plane === state.plane);
  }
  wider.hidden = !(state.volume in otherWindow);
  history.replaceState(null, "", `?${new URLSearchParams(state)}`);
}

function mark(link, current) {
  if (current) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

function goTo(plane, number) {
  state.plane = plane;
  state[plane] = Math.max(1, Math.min(countOf(plane), number));
  drawPlane(plane);
  markState();
}

// The neighbours are fetched once the eye rests on a slice, so that the next step shows at once.
function fetchNeighbours() {
  for (const step of [1, -1, 2, -2]) {
    const number = state[state.plane] + step;
    if (number >= 1 && number <= countOf(state.plane)) new Image().src = addressOf(state.plane, number);
  }
}
for (const [plane, figure] of Object.entries(figures)) {
  figure.querySelector("img").addEventListener("load", () => plane === state.plane && fetchNeighbours());
}

function showVolume(volume) {
  if (!(volume in volumes)) return;
  state.volume = volume;
  Object.keys(figures).forEach(drawPlane);
  markState();
}

function choosePlane(plane) {
  state.plane = plane;
  markState();
}

const keys = {
  ArrowUp: () => goTo(state.plane, state[state.plane] + 1),
  ArrowRight: () => goTo(state.plane, state[state.plane] + 1),
  ArrowDown: () => goTo(state.plane, state[state.plane] - 1),
  ArrowLeft: () => goTo(state.plane, state[state.plane] - 1),
  PageUp: () => goTo(state.plane, state[state.plane] + 10),
  PageDown: () => goTo(state.plane, state[state.plane] - 10),
  Home: () => goTo(state.plane, 1),
  End: () => goTo(state.plane, countOf(state.plane)),
  a: () => choosePlane("axial"),
  c: () => choosePlane("coronal"),
  s: () => choosePlane("sagittal"),
  w: () => showVolume(otherWindow[state.volume]),
};
for (const tab of tabs) keys[tab.dataset.key] = () => showVolume(tab.dataset.volume);

viewer.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.altKey || event.metaKey || !(key in keys)) return;
  if (event.target.type === "range" && /^(Arrow|Page|Home|End)/.test(event.key)) return; // its own keys do the same
  event.preventDefault();
  keys[key]();
});

for (const [plane, figure] of Object.entries(figures)) {
  const slider = figure.querySelector("input");
  slider.hidden = false;
  slider.addEventListener("input", () => goTo(plane, Number(slider.value)));
  figure.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.deltaY === 0) return; // the browser's zoom
    event.preventDefault();
    goTo(plane, state[plane] + (event.deltaY < 0 ? 1 : -1));
  }, { passive: false });
}

function onClick(link, action) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window
    event.preventDefault();
    action();
  });
}
for (const tab of tabs) onClick(tab, () => showVolume(tab.dataset.volume));
onClick(wider, () => showVolume(otherWindow[state.volume]));
for (const [plane, figure] of Object.entries(figures)) {
  onClick(figure.querySelector(".name"), () => choosePlane(plane));
  onClick(figure.querySelector(".previous"), () => goTo(plane, state[plane] - 1));
  onClick(figure.querySelector(".next"), () => goTo(plane, state[plane] + 1));
}
document.getElementById("keys").hidden = false;
viewer.focus({ preventScroll: true });
