"use strict";
(() => {
  const data = JSON.parse(document.getElementById("plots").textContent);
  const chosen = { split: data.splits[0], task: data.tasks[0] };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const narrow = () => window.innerWidth < 640;
  const settings = { responsive: true, displaylogo: false, doubleClick: "reset+autosize",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  function base() {
    const line = { gridcolor: colour("--line"), linecolor: colour("--line"), zeroline: false, automargin: true };
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
      font: { color: colour("--ink"), size: narrow() ? 11 : 13, family: "system-ui, 'Segoe UI', Roboto, sans-serif" },
      hoverlabel: { align: "left", bgcolor: colour("--panel"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--soft"), activecolor: colour("--ink") },
      margin: { l: 60, r: 12, t: 16, b: 48 }, xaxis: { ...line }, yaxis: { ...line },
    };
  }

  function points(trace) {
    const bars = trace.above && { type: "data", symmetric: false, array: trace.above, arrayminus: trace.below,
      color: colour("--soft"), thickness: 1.2, width: 3 };
    const bar = narrow()
      ? { orientation: "h", y: -0.22, yanchor: "top", thickness: 10, len: 0.9, title: { text: "speed-up at batch 256", side: "bottom" } }
      : { thickness: 12, len: 0.85, outlinewidth: 0, title: { text: "speed-up<br>batch 256", side: "top" } };
    return { type: "scatter", mode: "markers", name: trace.name, x: trace.x, y: trace.y, text: trace.text,
      customdata: trace.trial, hovertemplate: "%{text}<extra></extra>", error_y: bars || undefined,
      marker: { size: narrow() ? 11 : 14, color: trace.speedup, colorscale: "Viridis", showscale: true,
        symbol: trace.feasible.map((fits) => (fits ? "circle" : "circle-x")),
        line: { color: colour(dark.matches ? "--ink" : "--ground"), width: 1.2 },
        colorbar: { ...bar, tickformat: ".1f", ticksuffix: "x", outlinewidth: 0 } } };
  }

  function marks(trace, middle) {
    const star = trace.role === "teacher";
    return { type: "scatter", mode: "markers+text", name: trace.name, x: trace.x, y: trace.y, hovertext: trace.text,
      text: trace.labels, hovertemplate: "%{hovertext}<extra></extra>",
      textposition: trace.x.map((x, i) => `${i % 2 ? "bottom" : "top"} ${Math.log10(x) > middle ? "left" : "right"}`),
      cliponaxis: true,
      textfont: { color: colour("--soft"), size: narrow() ? 10 : 12 },
      marker: { symbol: trace.symbol, size: star ? 16 : 12, color: star ? colour("--accent") : colour("--ground"),
        line: { color: star ? colour("--accent") : colour("--ink"), width: 2 } } };
  }

  function lines() {
    const across = (y, dash) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, layer: "below",
      line: { color: colour("--soft"), width: 1, dash } });
    return data.limit === null ? [across(0, "dot")] : [across(0, "dot"), across(data.limit, "dash")];
  }

  // a title that is longer than the plot is high is cut off at both ends
  function folded(title) {
    return title.length > 52 ? title.replace(" change", "<br>change") : title;
  }

  function drawScatter() {
    const view = data.scatter[chosen.split][chosen.task];
    const layout = base();
    const middle = (data.x.range[0] + data.x.range[1]) / 2;
    Object.assign(layout.xaxis, { type: "log", range: data.x.range.slice(), tickvals: data.x.tickvals, ticktext: data.x.ticktext,
      title: { text: "size of model.onnx (log scale)", standoff: 8 } });
    Object.assign(layout.yaxis, { range: view.y_range.slice(), tickformat: "+.4~f",
      title: { text: narrow() ? view.y_title.replace(" against the teacher", "") : folded(view.y_title), standoff: 10 } });
    layout.shapes = lines();
    layout.annotations = data.limit === null ? [] : [{ xref: "paper", x: 0, xanchor: "left", y: data.limit, yanchor: "bottom",
      showarrow: false, text: "constraint auc_drop", font: { color: colour("--soft"), size: 11 } }];
    const traces = view.traces.map((trace) => (trace.role === "points" ? points(trace) : marks(trace, middle)));
    Plotly.react("scatter", traces, layout, settings);
    const notes = [];
    if (view.traces[0].feasible.includes(false)) notes.push("A crossed circle breaks a constraint.");
    if (view.outside.length) notes.push(`Outside the plot: ${view.outside.join(", ")}. Double-click the plot to see everything.`);
    document.getElementById("outside").textContent = notes.join(" ");
  }

  // before anything is drawn: columns take the room of one that goes, and a plot would keep the width that it had
  function removeEmpty() {
    if (data.hypervolume.length < 2) document.getElementById("volume").remove();
    if (!data.bandit.length) document.getElementById("beliefs").remove();
  }

  function drawHypervolume() {
    if (!document.getElementById("hypervolume")) return;
    const layout = base();
    Object.assign(layout.xaxis, { title: { text: "seconds", standoff: 6 }, rangemode: "tozero" });
    Object.assign(layout.yaxis, { rangemode: "tozero", tickformat: "~g", nticks: 5 });
    Plotly.react("hypervolume", [{ type: "scatter", mode: "lines+markers", x: data.hypervolume.map((step) => step[0]),
      y: data.hypervolume.map((step) => step[1]), line: { shape: "hv", color: colour("--accent") }, marker: { size: 4 },
      hovertemplate: "%{x:.0f} s: %{y:.4g}<extra></extra>" }], layout, { ...settings, displayModeBar: false });
  }

  function drawBandit() {
    if (!document.getElementById("bandit")) return;
    const layout = base();
    Object.assign(layout.xaxis, { title: { text: "trial", standoff: 6 }, rangemode: "tozero" });
    Object.assign(layout.yaxis, { tickformat: "~g", nticks: 5 });
    Object.assign(layout, { showlegend: true, legend: { orientation: "h", y: 1.2 } });
    const inks = ["--accent", "--amber", "--green", "--red", "--soft", "--ink"];
    const traces = data.bandit.flatMap((arm, index) => {
      const ink = colour(inks[index % inks.length]);
      const line = { type: "scatter", mode: "lines", name: arm.name, legendgroup: arm.name, x: arm.x, y: arm.y,
        line: { color: ink, width: 1, dash: index < inks.length ? "solid" : "dot" }, hoverinfo: "skip" };
      const dots = { type: "scatter", mode: "markers", legendgroup: arm.name, showlegend: false, x: arm.chosen_x,
        y: arm.chosen_y, marker: { color: ink, size: 6 }, hovertemplate: `trial %{x}: ${arm.name}<extra></extra>` };
      return [line, dots];
    });
    Plotly.react("bandit", traces, layout, { ...settings, displayModeBar: false });
  }

  function chooser(label, key, values) {
    if (values.length < 2) return;
    const row = document.createElement("div");
    row.append(label);
    for (const value of values) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = value;
      button.setAttribute("aria-pressed", String(value === chosen[key]));
      button.addEventListener("click", () => {
        chosen[key] = value;
        for (const other of row.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
        drawScatter();
      });
      row.append(button);
    }
    document.getElementById("choices").append(row);
  }

  function sortBy(header, column) {
    const table = document.getElementById("files");
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const keyed = [...table.tBodies].map((body) => {
      const cell = body.rows[0].cells[column];
      const number = cell.classList.contains("number");
      return { body, key: number ? parseFloat(cell.dataset.key) : cell.dataset.key };
    });
    const missing = (key) => key !== key || key === "";
    keyed.sort((a, b) => {
      if (missing(a.key) || missing(b.key)) return missing(a.key) - missing(b.key);
      return (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) * (ascending ? 1 : -1);
    });
    table.append(...keyed.map((row) => row.body));
  }

  function wireTable() {
    const table = document.getElementById("files");
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      if (table.tBodies[0].rows[0].cells[column].classList.contains("number")) header.classList.add("number");
      const button = header.querySelector("button");
      if (button) button.addEventListener("click", () => sortBy(header, column));
    });
    for (const button of table.querySelectorAll("button.more")) {
      button.addEventListener("click", () => {
        const detail = document.getElementById(button.getAttribute("aria-controls"));
        detail.hidden = !detail.hidden;
        button.setAttribute("aria-expanded", String(!detail.hidden));
      });
    }
  }

  wireTable();
  chooser("task", "task", data.tasks);
  chooser("split", "split", data.splits);
  removeEmpty();
  const draw = () => { drawScatter(); drawHypervolume(); drawBandit(); };
  draw();
  dark.addEventListener("change", draw);
})();
