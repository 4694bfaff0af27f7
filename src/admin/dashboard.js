'use strict';
// Every value from outside is set as text (textContent, setAttribute of harmless attributes): nothing is ever parsed as HTML.
(() => {
const SVG = 'http://www.w3.org/2000/svg';
const QUIET_MS = 20000;        // the service says something every 15 s
const DEAD_MS = 45000;         // then the stream is begun anew
const RETRY_MOST_MS = 15000;
const FOREIGN_S = 900;         // what was longer ago is over
const LANES_MOST = 24;
const LANE_PX = 16;
const AXIS_PX = 18;
const LATELY_MOST = 60;
const COLOURS = 8;
const SPANS_S = [60, 120, 300, 600, 1800, 3600];
const LIVE_STATES = {
	reading: 'sends its body', queued: 'waits', connecting: 'is sent', awaiting: 'Ollama has it, no answer yet',
	streaming: 'is answered', flushing: 'answered, its client still reads',
};

const $ = id => document.getElementById(id);
const number = value => typeof value === 'number' && Number.isFinite(value);
const integer = value => number(value) ? Math.round(value).toLocaleString('en') : '–';
const percent = (value, digits = 0) => number(value) ? (100 * value).toFixed(digits) + ' %' : '–';
const time = () => new Date().toLocaleTimeString('en-GB');

function seconds(ms) {
	if (!number(ms)) return '–';
	const s = ms / 1000;
	if (s < 9.95) return s.toFixed(1) + ' s';
	if (s < 119.5) return Math.round(s) + ' s';
	if (s < 7200) return Math.floor(s / 60) + ' min ' + Math.floor(s % 60) + ' s';
	return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
}

function text(node, value) {
	if (node.textContent !== value) node.textContent = value;
}

// make('p', {class: 'soft'}, 'text', node, …)
function make(tag, attributes, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
	node.append(...children);
	return node;
}

function draw(tag, attributes, words) {
	const node = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
	if (words !== undefined) node.textContent = words;
	return node;
}

// An object by name, or an array of objects with a name: [[name, object], …]
function entries(list) {
	if (Array.isArray(list)) return list.filter(item => item).map(item => [String(item.name), item]);
	return list && typeof list === 'object' ? Object.entries(list) : [];
}

// A button that was really disabled would lose the focus.
function enable(button) {
	button.setAttribute('aria-disabled', String(!state.live));
}

// The first of these keys that is a number.
function pick(object, ...keys) {
	for (const key of keys) if (object && number(object[key])) return object[key];
	return null;
}

const state = {
	stats: null, requests: [], key: null, pending: null, heard: 0, listed: 0, asOf: '', live: false,
	models: new Map(), jobs: new Map(), used: new Map(), usedSince: 0, last: null, said: '', opener: null,
};

/* Colours: a model keeps its own, with a letter beside it. */

function bare(name) {
	return String(name ?? '').replace(/:latest$/, '');
}

function colour(name) {
	const key = bare(name);
	if (!state.models.has(key)) {
		const at = state.models.size;
		const letter = String.fromCharCode(65 + at % 26) + (at < 26 ? '' : Math.floor(at / 26));
		state.models.set(key, {letter, style: 'm' + at % COLOURS, name: key});
	}
	return state.models.get(key);
}

function tag(name) {
	const of = colour(name);
	return make('span', {class: 'tag ' + of.style, 'aria-hidden': 'true'}, of.letter);
}

/* What is told to screen readers: only what matters, once. */
function say(words) {
	text($('say'), words);
}

function lately(words) {
	const list = $('lately');
	list.prepend(make('li', {}, make('time', {}, time()), words));
	while (list.children.length > LATELY_MOST) list.lastChild.remove();
	$('lately-none').hidden = true;
}

/* Above the figures */

function mood(node, kind) {
	node.className = 'state ' + kind;
}

function showOllama(stats) {
	const upstream = stats.upstream || {};
	const words = {unknown: 'is not known yet', up: 'is up', suspect: 'is asked whether it still lives', down: 'is down'};
	const loading = stats.turn && stats.turn.state === 'loading' && stats.turn.runner;
	const what = upstream.version ? 'Ollama ' + upstream.version : 'Ollama';
	let line = what + ' ' + (words[upstream.state] || upstream.state || 'is not known yet');
	if (upstream.up && loading) line = what + ' loads ' + runnerName(loading);
	text($('ollama-text'), line);
	mood($('ollama'), upstream.up ? (loading ? 'warn' : 'good') : upstream.state === 'down' ? 'bad' : 'warn');
}

function foreign(stats) {
	const found = stats.upstream && stats.upstream.foreign_activity;
	if (!found || !found.count || found.age_s > FOREIGN_S) return null;
	return 'Another program uses this Ollama past the queue' + (found.model ? ', last with ' + bare(found.model) : '') +
		'. Its loads and waits are not in these figures: give it this address instead.';
}

function alertsOf(stats) {
	const found = [];
	const upstream = stats.upstream || {};
	const waiting = stats.queued ? ' ' + integer(stats.queued) + (stats.queued === 1 ? ' job waits' : ' jobs wait') + ' for it.' : '';
	if (upstream.state === 'down')
		found.push(['bad', 'Ollama is down.', (upstream.url || 'It') + ' does not answer.' + waiting + ' Start it, or correct --upstream.']);
	if (stats.paused)
		found.push(['warn', 'Paused.', 'Nothing is sent to Ollama: jobs wait, and their deadlines go on.']);
	const outside = foreign(stats);
	if (outside) found.push(['warn', 'Foreign traffic.', outside]);
	for (const [name, runner] of entries(stats.runners))
		if (number(runner.vram_share) && runner.vram_share < 0.995)
			found.push(['warn', 'Partly on the CPU.', bare(name) + ' has ' + percent(1 - runner.vram_share) +
				' of its memory beside the GPU, which makes it slow. A smaller num_ctx or model may fit.']);
	if (stats.queued >= stats.max_queue_size && stats.max_queue_size > 0)
		found.push(['bad', 'The queue is full.', 'Newcomers are told 503 queue_full.']);
	const cut = stats.cut_prompts;
	if (cut && cut.count > 0)
		found.push(['warn', 'Cut prompts.', integer(cut.count) + ' so far were longer than the context' +
			(entries(cut.projects).length ? ' (' + entries(cut.projects).map(([name]) => name).join(', ') + ')' : '') + '. Raise num_ctx.']);
	if (stats.request_log_dropped > 0)
		found.push(['warn', 'Log lines lost.', integer(stats.request_log_dropped) + ' lines of the request log could not be written.']);
	return found;
}

function showAlerts(stats) {
	const found = alertsOf(stats);
	const all = JSON.stringify(found);
	if (all === state.said) return;
	const before = state.said ? JSON.parse(state.said).map(one => one[1]) : [];
	const fresh = found.filter(one => !before.includes(one[1]));
	const gone = before.filter(name => !found.some(one => one[1] === name));
	state.said = all;
	$('alerts').replaceChildren(...found.map(([kind, title, words]) => make('li', {class: kind}, make('b', {}, title), ' ', words)));
	if (fresh.length || gone.length)
		say([...fresh.map(one => one[1] + ' ' + one[2]), ...gone.map(name => 'Over: ' + name)].join(' '));
}

function showPause(stats) {
	const button = $('pause');
	text(button, stats.paused ? 'Resume' : 'Pause');
	enable(button);
	button.className = stats.paused ? 'main' : '';
	$('unload-label').hidden = !!stats.paused;
}

/* Figures */

function figure(name, value, unit, more) {
	const at = $('figures');
	let box = at.querySelector('[data-name="' + name + '"]');
	if (!box) {
		box = make('div', {'data-name': name}, make('dt', {}, name), make('dd', {class: 'value'}, document.createTextNode(''), make('small', {}, '')),
			make('dd', {class: 'more'}));
		at.append(box);
	}
	const [, top, below] = box.children;
	text(top.firstChild, value);
	text(top.lastChild, unit ? ' ' + unit : '');
	text(below, more);
}

function showFigures(stats) {
	const lane = stats.concurrency || {};
	const limit = pick(lane, 'limit') ?? stats.max_concurrent;
	const wait = stats.wait_time_ms || {};
	const latency = stats.latency_ms || {};
	const warm = latency.warm || {};
	const cold = latency.cold || {};
	const ended = ['completed', 'failed', 'rejected', 'timeout', 'cancelled'];
	figure('Waiting', integer(stats.queued), 'of ' + integer(stats.max_queue_size), stats.reading ? integer(stats.reading) + ' still sending' : 'places in the queue');
	figure('Running', integer(stats.in_progress), 'of ' + integer(limit), lane.reason || 'at once');
	figure('Wait', seconds(wait.p50), 'median', '90 %: ' + seconds(wait.p90) + ', longest ' + seconds(stats.max_wait_time_ms));
	figure('Answer', seconds(latency.p50), 'median', 'warm ' + seconds(warm.mean) + ', cold ' + seconds(cold.mean) + ' (mean)');
	figure('Warm starts', percent(stats.warm_start_rate), '', number(stats.warm_start_rate) ?
		(stats.warm_start_rate > 0.8 ? 'target of 80 % met' : 'below the target of 80 %') : 'none known yet');
	figure('Model loads', integer(stats.model_loads), '', number(stats.load_time_ms) ? seconds(stats.load_time_ms) + ' each' : 'none measured yet');
	figure('Jobs done', integer(stats.completed), '', ended.slice(1).filter(key => stats[key] > 0)
		.map(key => integer(stats[key]) + ' ' + (key === 'timeout' ? 'timed out' : key)).join(', ') || 'none went wrong');
	figure('Other requests', integer(stats.passes && stats.passes.received), '', 'passed without waiting');
}

/* Timeline: what is known of each job since this page was opened, in lanes. */

const isRunning = job => job.state !== 'queued' && job.state !== 'reading';

function follow(requests) {
	const now = performance.now();
	const seen = new Set();
	const counts = new Map();
	for (const row of requests) {
		const nth = counts.get(row.id) || 0; // clients may choose the same id twice
		counts.set(row.id, nth + 1);
		const key = row.id + '\n' + nth;
		seen.add(key);
		row.key = key;
		let job = state.jobs.get(key);
		if (!job || job.ended) {
			job = {arrived: now - row.age_ms, started: null, answered: null, lane: null};
			state.jobs.set(key, job);
		}
		Object.assign(job, {model: row.model, project: row.project, state: row.state, forecast: row.forecast_ms, listed: now});
		if (row.state === 'queued') job.started = null;
		else if (isRunning(job) && job.started === null) job.started = Math.min(now, Math.max(job.arrived + row.wait_ms, job.lastWaited || 0));
		if (row.state === 'queued') job.lastWaited = now;
		if (row.state === 'streaming' && job.answered === null) job.answered = job.lastAwaited || now;
		if (row.state === 'awaiting') job.lastAwaited = now;
	}
	for (const [key, job] of state.jobs) {
		if (!seen.has(key) && !job.ended) job.ended = now;
		if (job.ended && now - job.ended > 3600e3) state.jobs.delete(key);
	}
	while (state.jobs.size > 500) state.jobs.delete(state.jobs.keys().next().value);
	countUse(requests, now);
}

// Without figures of the service: running time by project, as this page saw it.
function countUse(requests, now) {
	if (state.last !== null && state.live) {
		const step = now - state.last;
		for (const row of requests) if (isRunning(row)) state.used.set(String(row.project), (state.used.get(String(row.project)) || 0) + step);
	}
	state.last = now;
}

// A job keeps its lane; a new one takes the first in which nobody was meanwhile. What is told of arrivals is not exact, so
// that a later one may have come earlier.
function lanes(jobs) {
	const taken = [];
	const end = job => job.ended ?? Infinity;
	for (const job of jobs) if (job.lane !== null) (taken[job.lane] ??= []).push(job);
	for (const job of jobs.filter(one => one.lane === null)) {
		let at = 0;
		while ((taken[at] || []).some(other => end(other) > job.arrived && other.arrived < end(job))) at++;
		job.lane = at;
		(taken[at] ??= []).push(job);
	}
}

function span(jobs, now) {
	const oldest = Math.max(0, ...jobs.filter(job => !job.ended).map(job => now - job.arrived)) / 1000;
	return SPANS_S.find(s => s >= oldest * 1.1) || SPANS_S[SPANS_S.length - 1];
}

function bar(job, from, to, x, y, kind, parts) {
	const left = Math.max(0, x(from));
	const width = Math.max(1.5, x(to) - left);
	if (x(to) < 0) return null;
	const place = {x: left, y: y + 1, width, height: LANE_PX - 3, rx: 2};
	parts.push(draw('rect', {...place, class: 'bar ' + kind + ' ' + colour(job.model).style + (job.ended ? ' gone' : '')}));
	if (kind === 'awaiting') parts.push(draw('rect', {...place, class: 'hatch'}));
	return [left, width];
}

function drawJob(job, now, x, y, parts) {
	const end = job.ended ?? now;
	const started = job.started ?? end;
	const answered = Math.min(end, job.answered ?? end);
	const solid = job.ended ? 'off' : 'on';
	const places = [];
	if (started - job.arrived > 20) places.push(['off', bar(job, job.arrived, started, x, y, 'waiting', parts)]);
	if (job.started !== null && answered > started) places.push([solid, bar(job, started, answered, x, y, 'awaiting', parts)]);
	if (job.answered !== null && end > answered) places.push([solid, bar(job, answered, end, x, y, 'streaming', parts)]);
	const [kind, place] = places.filter(one => one[1]).sort((a, b) => b[1][1] - a[1][1])[0] || [];
	if (place && place[1] > 14) {
		const room = Math.floor((place[1] - 10) / 7.2);
		const name = ' ' + String(job.project ?? '');
		parts.push(draw('text', {x: place[0] + 4, y: y + LANE_PX - 5, class: kind}, colour(job.model).letter + (room > 4 ? name.slice(0, room - 1) : '')));
	}
	if (!job.ended && job.state === 'queued' && number(job.forecast)) {
		const to = x(job.listed + job.forecast);
		const middle = y + LANE_PX / 2;
		parts.push(draw('path', {class: 'soon ' + colour(job.model).style, d: `M${x(now) + 2} ${middle}H${to}M${to} ${y + 2}v${LANE_PX - 4}`}));
	}
}

function drawAxis(width, height, past, future, x, now, parts) {
	const step = [5, 10, 15, 30, 60, 120, 300, 600, 900].find(s => s / (past + future) * width > 90) || 900;
	for (let s = -Math.floor(past / step) * step; s <= future; s += step) {
		const at = x(now + s * 1000);
		parts.push(draw('line', {class: s === 0 ? 'now' : 'grid', x1: at, x2: at, y1: 0, y2: height - AXIS_PX}));
		const words = s === 0 ? 'now' : Math.abs(s) < 120 ? (s > 0 ? '+' : '−') + Math.abs(s) + ' s' : (s > 0 ? '+' : '−') + Math.abs(s) / 60 + ' min';
		if (at > 14 && at < width - 8) parts.push(draw('text', {x: at, y: height - 5, 'text-anchor': 'middle'}, words));
	}
}

function stripes() {
	const pattern = draw('pattern', {id: 'stripes', width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)'});
	pattern.append(draw('path', {d: 'M0 0v7'}));
	return pattern;
}

function showTimeline() {
	if (!state.stats || document.hidden) return;
	const now = state.live ? performance.now() : state.heard;
	const all = [...state.jobs.values()].sort((a, b) => a.arrived - b.arrived);
	const past = span(all, now);
	const shown = all.filter(job => (job.ended ?? now) > now - past * 1000);
	lanes(shown);
	const soon = Math.max(0, ...shown.filter(job => !job.ended && job.state === 'queued' && number(job.forecast)).map(job => job.forecast)) / 1000;
	const future = soon ? Math.min(past, soon * 1.1 + 2) : past / 40;
	const width = Math.max(200, $('timeline-box').clientWidth);
	const x = at => (at - now + past * 1000) / ((past + future) * 1000) * width;
	const used = Math.min(LANES_MOST, Math.max(4, ...shown.map(job => job.lane + 1)));
	const height = used * LANE_PX + 4 + AXIS_PX;
	const parts = [stripes()];
	drawAxis(width, height, past, future, x, now, parts);
	for (const job of shown) if (job.lane < LANES_MOST) drawJob(job, now, x, 2 + job.lane * LANE_PX, parts);
	const svg = $('timeline');
	svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
	svg.setAttribute('height', height);
	svg.replaceChildren(...parts);
	showTimelineText(shown, past);
}

function showTimelineText(shown, past) {
	const living = shown.filter(job => !job.ended);
	const hidden = living.filter(job => job.lane >= LANES_MOST).length;
	const waiting = living.filter(job => job.state === 'queued').length;
	text($('timeline-text'), `The last ${seconds(past * 1000)}: ${living.length - waiting} under way, ${waiting} waiting, ` +
		`${shown.length - living.length} ended.` + (hidden ? ` ${hidden} more than there is room for are in the list below.` : ''));
	const models = [...new Set(shown.map(job => bare(job.model)))];
	const legend = $('legend');
	if (legend.dataset.models === JSON.stringify(models)) return;
	legend.dataset.models = JSON.stringify(models);
	legend.replaceChildren(...models.map(name => make('li', {}, tag(name), name || 'model not read yet')));
}

/* A runner key is the model and its options: "qwen2.5vl:7b num_ctx=8192". */
function runnerName(key) {
	return bare(String(key ?? '').replace(/:latest(?=\s|$)/, ''));
}

function showTurn(stats) {
	const turn = stats.turn;
	if (!turn) {
		text($('turn'), 'Jobs are sent in order of arrival.');
		return;
	}
	const verbs = {serving: 'is being served', holding: 'is held a moment for a client that comes back', draining: 'gives way',
		unloading: 'is being unloaded', loading: 'is being loaded'};
	let words = turn.runner ? runnerName(turn.runner) + ' ' + (verbs[turn.state] || turn.state) : 'No model has work';
	if (turn.runner && number(turn.since_ms) && turn.since_ms > 0) words += ' for ' + seconds(turn.since_ms);
	if (turn.runner) words += ', ' + integer(turn.served) + ' served, ' + integer(turn.left) + ' left';
	if (turn.next) words += '; next: ' + runnerName(turn.next);
	text($('turn'), words + '.');
}

/* Tables: rows are kept by key, so that focus and selection stay where they are. */

function rows(body, list, create, fill) {
	const active = document.activeElement;
	const old = new Map([...body.children].map(node => [node.dataset.key, node]));
	let before = null;
	for (const [key, value] of list) {
		let node = old.get(key);
		if (!node) {
			node = create(value);
			node.dataset.key = key;
		}
		old.delete(key);
		fill(node, value);
		const place = before ? before.nextSibling : body.firstChild;
		if (place !== node) body.insertBefore(node, place);
		before = node;
	}
	for (const node of old.values()) {
		const had = node.contains(active);
		const next = node.nextElementSibling || node.previousElementSibling;
		node.remove();
		if (had) (next && next.querySelector('button') || $('jobs')).focus();
	}
	// a row that was moved loses the focus
	if (body.contains(active) && document.activeElement !== active) active.focus({preventScroll: true});
	body.closest('table').hidden = list.length === 0;
}

function row(...labels) {
	return make('tr', {role: 'row'}, ...labels.map(label => make('td', {role: 'cell', 'data-label': label}, make('div'))));
}

const cell = (node, at) => node.children[at].firstChild;

function twoLines(place, first, second, style) {
	if (!place.firstChild) place.append(make('span'), make('small'));
	text(place.firstChild, first);
	place.firstChild.className = style || '';
	text(place.lastChild, second || '');
}

function named(place, model, below) {
	if (!place.firstChild) place.append(tag(model), make('span'), make('small'));
	const of = colour(model);
	text(place.firstChild, of.letter);
	place.firstChild.className = 'tag ' + of.style;
	text(place.children[1], bare(model) || 'model not read yet');
	text(place.lastChild, below || '');
}

function createJob() {
	const node = row('Job', 'Project', 'State', 'Times', 'Cancel');
	const button = make('button', {type: 'button'}, 'Cancel');
	button.addEventListener('click', () => change('DELETE', '/api/v1/queue/requests/' + encodeURIComponent(node.job.id),
		'The job ' + node.job.id + ' is cancelled.', button));
	cell(node, 4).append(button);
	return node;
}

function fillJob(node, job) {
	node.job = job;
	named(cell(node, 0), job.model, job.operation + ' · ' + job.id);
	twoLines(cell(node, 1), String(job.project ?? '–'), job.class);
	let what = LIVE_STATES[job.state] || job.state;
	if (job.place) what += job.place === 1 ? ', next' : ', place ' + job.place;
	// the forecast is told once
	let why = (job.reason || '').replace(/, about \d+ s(?=;|$)/, number(job.forecast_ms) ? '' : '$&');
	if (number(job.forecast_ms)) why += (why ? '; ' : '') + 'starts in about ' + seconds(job.forecast_ms);
	if (number(job.tokens)) why += (why ? ', ' : '') + integer(job.tokens) + ' tokens' + (number(job.tokens_per_s) ? ', ' + job.tokens_per_s + ' a second' : '');
	twoLines(cell(node, 2), what, why, 'word');
	twoLines(cell(node, 3), seconds(job.age_ms) + ' old', 'waited ' + seconds(job.wait_ms));
	const button = cell(node, 4).firstChild;
	const label = 'Cancel ' + job.id + ' of ' + job.project;
	if (button.getAttribute('aria-label') !== label) button.setAttribute('aria-label', label);
	enable(button);
}

function showJobs() {
	// those that run stay first, as they came
	const list = [...state.requests].sort((a, b) => (a.place || 0) - (b.place || 0));
	rows($('jobs-rows'), list.map(job => [job.key, job]), createJob, fillJob);
	$('jobs-none').hidden = state.requests.length > 0;
}

function modelsOf(stats) {
	const found = new Map();
	const at = name => {
		const key = bare(name);
		if (!found.has(key)) found.set(key, {name: key, keys: []});
		return found.get(key);
	};
	for (const [name, model] of entries(stats.models)) at(name).figures = model;
	for (const [name, runner] of entries(stats.runners)) at(name).runner = runner;
	for (const key of (stats.turn && stats.turn.keys) || []) {
		const owner = [...found.values()].find(model => [model.name, model.name + ':latest'].some(name =>
			key.runner === name || String(key.runner).startsWith(name + ' ')));
		(owner || at(String(key.runner).split(' ')[0])).keys.push(key);
	}
	return [...found.values()].sort((a, b) => !!b.runner - !!a.runner);
}

function fillModel(node, model) {
	const {runner, figures, keys} = model;
	const sum = key => keys.reduce((total, one) => total + (one[key] || 0), 0);
	named(cell(node, 0), model.name, [runner && runner.pinned ? 'pinned' : '', keys.length > 1 ? keys.length + ' sets of options' : ''].filter(Boolean).join(', '));
	const share = runner && runner.vram_share;
	const isSplit = number(share) && share < 0.995;
	twoLines(cell(node, 1), !runner ? 'not loaded' : !number(share) ? 'loaded' : isSplit ? percent(1 - share) + ' on the CPU' : 'all on the GPU',
		runner ? [number(runner.context_length) ? 'context ' + integer(runner.context_length) : '',
			number(runner.size_vram) ? (runner.size_vram / 2 ** 30).toFixed(1) + ' GiB' : ''].filter(Boolean).join(', ') : '', isSplit ? 'warn-text' : '');
	const living = state.requests.filter(job => bare(job.model) === model.name);
	const waiting = keys.length ? sum('waiting') : living.filter(job => job.state === 'queued').length;
	const running = keys.length ? sum('running') : living.filter(isRunning).length;
	const lane = runner && runner.concurrency;
	twoLines(cell(node, 2), integer(running) + ' running' + (lane ? ' of ' + integer(lane.limit) : ''), integer(waiting) + ' waiting', 'figure');
	cell(node, 2).title = lane ? lane.reason : '';
	const speed = pick(figures, 'generated_tokens_per_s');
	const prompt = pick(figures, 'prompt_tokens_per_s');
	const service = Math.max(0, ...keys.map(key => key.service_ms || 0));
	twoLines(cell(node, 3), number(speed) ? speed.toFixed(1) + ' tokens a second' : service ? seconds(service) + ' a job' : '–',
		number(prompt) ? 'prompt ' + integer(prompt) + ' a second' : '');
	const loads = pick(figures, 'loads');
	const load = Math.max(0, ...keys.map(key => key.load_ms || 0)) || pick(figures, 'load_time_ms');
	twoLines(cell(node, 4), number(loads) ? integer(loads) : load ? seconds(load) + ' each' : '–', number(loads) && load ? seconds(load) + ' each' : '', 'figure');
}

function showModels(stats) {
	const list = modelsOf(stats);
	rows($('models-rows'), list.map(model => [model.name, model]), () => row('Model', 'Where', 'Jobs', 'Speed', 'Loads'), fillModel);
	$('models-none').hidden = list.length > 0;
}

function projectsOf(stats) {
	const given = entries(stats.projects);
	const found = new Map(given.map(([name, figures]) => [name, {name, figures}]));
	for (const name of [...state.used.keys(), ...state.requests.map(job => String(job.project))])
		if (!found.has(name)) found.set(name, {name, figures: null});
	const used = ({name, figures}) => pick(figures, 'served_s');
	const byService = [...found.values()].some(one => number(used(one)));
	for (const one of found.values()) one.used = byService ? used(one) || 0 : (state.used.get(one.name) || 0) / 1000;
	const total = [...found.values()].reduce((sum, one) => sum + one.used, 0);
	for (const one of found.values()) one.share = pick(one.figures, 'share') ?? (total > 0 ? one.used / total : null);
	text($('projects-note'), byService ? 'Shares of the running time since the service started.' : 'Shares of the running time since this page was opened.');
	return [...found.values()].sort((a, b) => (b.share || 0) - (a.share || 0)).slice(0, 40);
}

function fillProject(node, project) {
	const living = state.requests.filter(job => String(job.project) === project.name);
	const waiting = living.filter(job => job.state === 'queued');
	const figures = project.figures || {};
	twoLines(cell(node, 0), project.name, typeof figures.class === 'string' ? figures.class : '');
	const place = cell(node, 1);
	if (!place.firstChild) place.append(make('span'), make('span', {class: 'share', 'aria-hidden': 'true'}, make('span')), make('small'));
	text(place.firstChild, percent(project.share));
	text(place.lastChild, project.used ? seconds(project.used * 1000) : '');
	place.children[1].firstChild.style.width = 100 * (project.share || 0) + '%';
	const done = pick(figures, 'completed');
	twoLines(cell(node, 2), living.filter(isRunning).length + ' running', waiting.length + ' waiting' + (number(done) ? ', ' + integer(done) + ' done' : ''), 'figure');
	const wait = pick(figures.wait_time_ms, 'p50');
	const longest = Math.max(0, ...waiting.map(job => job.wait_ms));
	twoLines(cell(node, 4), number(figures.loads) ? integer(figures.loads) : '–', number(figures.warm_start_rate) ? percent(figures.warm_start_rate) + ' warm' : '', 'figure');
	twoLines(cell(node, 3), waiting.length ? seconds(longest) : '–', number(wait) ? 'usually ' + seconds(wait) : '', 'figure');
}

function showProjects(stats) {
	const list = projectsOf(stats);
	rows($('projects-rows'), list.map(project => [project.name, project]), () => row('Project', 'Share', 'Jobs', 'Waits now', 'Loads caused'), fillProject);
	$('projects-none').hidden = list.length > 0;
	$('projects-table').classList.toggle('bare', !stats.projects);
	$('projects-note').hidden = list.length === 0;
}

/* What changed since the last figures. */

function causes(model) {
	const counts = new Map();
	for (const job of state.requests)
		if (bare(job.model) === model && job.state !== 'flushing') counts.set(String(job.project), (counts.get(String(job.project)) || 0) + 1);
	return [...counts].map(([name, count]) => name + (count > 1 ? ' (' + count + ')' : '')).join(', ');
}

function noteChanges(before, stats) {
	if (!before) return;
	const was = new Map(entries(before.runners).map(([name]) => [bare(name), true]));
	const is = new Map(entries(stats.runners).map(([name]) => [bare(name), true]));
	const loading = turn => turn && turn.state === 'loading' && turn.runner;
	if (loading(stats.turn) && loading(before.turn) !== stats.turn.runner) {
		const model = runnerName(stats.turn.runner).split(' ')[0];
		lately(runnerName(stats.turn.runner) + ' is being loaded' + (causes(model) ? ' for ' + causes(model) : ' by us: preload'));
	}
	for (const name of is.keys())
		if (!was.has(name)) lately(name + ' is loaded' + (causes(name) ? ' for ' + causes(name) : ', not for a job that is here: by another program, or preload'));
	for (const name of was.keys()) if (!is.has(name)) lately(name + ' was unloaded');
	if (before.paused !== stats.paused) lately(stats.paused ? 'Paused by an operator' : 'Resumed');
	const [old, now] = [before.upstream || {}, stats.upstream || {}];
	if (old.up !== now.up) lately(now.up ? 'Ollama answers again' : 'Ollama does not answer (' + now.state + ')');
}

/* The stream. EventSource cannot send a key, so it is read by hand. */

function show() {
	const stats = state.stats;
	if (!stats) return;
	showOllama(stats);
	showAlerts(stats);
	showPause(stats);
	showFigures(stats);
	showTurn(stats);
	showJobs();
	showModels(stats);
	showProjects(stats);
	showTimeline();
	text($('since'), 'Running for ' + seconds(stats.uptime_s * 1000) + '.');
	document.title = (stats.paused ? 'paused' : integer(stats.queued) + ' waiting, ' + integer(stats.in_progress) + ' running') + ' · shared-ollama';
}

function onEvent(name, data) {
	const value = JSON.parse(data);
	if (name === 'stats') {
		state.before = state.stats;
		state.stats = value;
	} else if (name === 'requests') {
		const gone = state.requests;
		state.requests = Array.isArray(value.requests) ? value.requests : [];
		follow(state.requests);
		state.asOf = time();
		// who caused a load may have left the list in the meantime
		const present = state.requests;
		state.requests = [...present, ...gone.filter(old => !present.some(job => job.key === old.key))];
		noteChanges(state.before, state.stats);
		state.requests = present;
		setLive(true);
		show();
	}
}

function setLive(live, words) {
	const link = $('link');
	if (live !== state.live) {
		if (!live) say('The connection is lost. What is shown is old.');
		else if (state.lost) say('Connected again.');
		state.lost = !live;
	}
	state.live = live;
	document.body.classList.toggle('old', !live);
	mood(link, live ? 'good' : 'bad');
	text($('link-text'), live ? 'Live, as of ' + state.asOf : words + (state.asOf ? ' Old: as of ' + state.asOf + '.' : ''));
	for (const button of [$('pause'), ...$('jobs-rows').querySelectorAll('button')]) enable(button);
}

function headers() {
	return state.key ? {Authorization: 'Bearer ' + state.key} : {};
}

async function errorText(response) {
	try {
		const body = await response.json();
		return typeof body.error === 'string' ? body.error : body.error.message;
	} catch {
		return 'status ' + response.status;
	}
}

async function read(response, stop) {
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '';
	for (;;) {
		const {value, done} = await reader.read();
		if (done) return;
		state.heard = performance.now();
		rest += value;
		const blocks = rest.split('\n\n');
		rest = blocks.pop();
		for (const block of blocks) {
			const lines = block.split('\n');
			const of = prefix => lines.filter(line => line.startsWith(prefix)).map(line => line.slice(prefix.length)).join('\n');
			if (of('event: ')) onEvent(of('event: '), of('data: '));
		}
	}
}

let wake = null;

async function pause(ms, words) {
	const until = performance.now() + ms;
	const tell = () => setLive(false, words + ' Next try in ' + Math.max(1, Math.ceil((until - performance.now()) / 1000)) + ' s.');
	tell();
	const ticking = setInterval(tell, 1000);
	await new Promise(resolve => { wake = resolve; setTimeout(resolve, ms); });
	clearInterval(ticking);
}

async function listen() {
	for (let tries = 0; ; tries++) {
		let words = 'The service ended the stream.';
		let wait = Math.min(RETRY_MOST_MS, 1000 * 2 ** Math.min(tries, 4));
		state.abort = new AbortController();
		state.heard = performance.now();
		try {
			const response = await fetch('/api/v1/events', {headers: headers(), cache: 'no-store', credentials: 'omit', signal: state.abort.signal});
			if (response.ok) {
				tries = 0;
				wait = 1000;
				await read(response);
			} else {
				words = 'Refused: ' + await errorText(response) + '.';
				const asked = Number(response.headers.get('Retry-After'));
				if (asked) wait = Math.max(wait, 1000 * asked);
				if (response.status === 401) {
					askKey(state.key ? 'This key is not known here.' : 'This service wants a key before it shows anything.', null);
					wait = RETRY_MOST_MS;
				}
			}
		} catch (error) {
			if (!(error instanceof TypeError) && error.name !== 'AbortError') console.error(error);
			words = 'The connection is lost.';
		}
		await pause(wait, words);
	}
}

function tick() {
	const silent = performance.now() - state.heard;
	if (state.live && silent > DEAD_MS) state.abort.abort();
	else if (state.live && silent > QUIET_MS) {
		mood($('link'), 'warn');
		text($('link-text'), 'No word for ' + seconds(silent) + ': as of ' + state.asOf);
	}
	if (state.live && state.jobs.size) showTimeline();
}

/* What changes something */

function askKey(why, pending) {
	state.pending = pending;
	const form = $('key-form');
	text($('key-why'), why);
	if (form.hidden) state.opener = document.activeElement;
	form.hidden = false;
	say(why);
	if (pending) $('key').focus();
}

function closeKey() {
	$('key-form').hidden = true;
	$('key').value = '';
	if (state.opener && state.opener.isConnected) state.opener.focus();
}

async function change(method, target, done, button) {
	if (!state.live || button.busy) return;
	button.busy = true;
	let response;
	try {
		response = await fetch(target, {method, headers: headers(), cache: 'no-store', credentials: 'omit'});
	} catch {
		say('The service does not answer: nothing was changed.');
		lately('The service did not answer: nothing was changed');
		return;
	} finally {
		button.busy = false;
	}
	if (response.ok) {
		say(done);
		return;
	}
	const words = await errorText(response);
	if (response.status === 401 || response.status === 403) {
		askKey('Not allowed: ' + words + '.', () => change(method, target, done, button));
	} else {
		say('Not done: ' + words);
		lately('Not done: ' + words);
	}
}

function onPause() {
	if (state.stats.paused) change('POST', '/api/v1/queue/resume', 'The queue goes on.', $('pause'));
	else change('POST', '/api/v1/queue/pause' + ($('unload').checked ? '?unload=1' : ''), 'The queue is paused.', $('pause'));
}

function onKey(event) {
	event.preventDefault();
	const value = $('key').value.trim();
	if (!/^[\x21-\x7e]+$/.test(value)) {
		text($('key-why'), 'A key has letters, digits and signs, no blanks.');
		return;
	}
	state.key = value;
	$('key-held').hidden = false;
	const pending = state.pending;
	state.pending = null;
	closeKey();
	if (pending) pending();
	else if (wake) wake();
}

function onForget() {
	state.key = null;
	$('key-held').hidden = true;
	say('The key is forgotten.');
	state.abort.abort();
	$('pause').focus();
}

/* Connect a client: [name, lines, note]; {url} and {project} are filled in. */

const CLIENTS = [
	['Ollama CLI', 'export OLLAMA_HOST={url}\nollama run llama3.2'],
	['Python, ollama', 'import ollama\nclient = ollama.Client(host="{url}", headers={"X-Project-Name": "{project}"})\n' +
		'print(client.chat("llama3.2", [{"role": "user", "content": "hi"}]).message.content)', 'With keys add "Authorization": "Bearer KEY" to the headers.'],
	['OpenAI SDK', 'from openai import OpenAI\nclient = OpenAI(base_url="{url}/v1", api_key="KEY",\n' +
		'    default_headers={"X-Project-Name": "{project}"})'],
	['Docling', 'from docling.datamodel.pipeline_options import VlmPipelineOptions\n' +
		'from docling.datamodel.pipeline_options_vlm_model import ApiVlmOptions, ResponseFormat\n' +
		'options = VlmPipelineOptions(enable_remote_services=True)\noptions.vlm_options = ApiVlmOptions(\n    url="{url}/v1/chat/completions",\n' +
		'    headers={"X-Project-Name": "{project}", "X-Request-Timeout": "120", "Authorization": "Bearer KEY"},\n    params={"model": "qwen2.5vl:7b"},\n' +
		'    prompt="Convert this page to markdown.",\n    response_format=ResponseFormat.MARKDOWN,\n    timeout=120,\n)', 'Docling loses a page that is not answered within timeout: give it more than a load takes.'],
	['Open WebUI', 'OLLAMA_BASE_URL={url}\nENABLE_FORWARD_USER_INFO_HEADERS=true', 'Its environment. The second line makes each of its users a project of their own. In a container localhost is the container: use this machine\'s name.'],
	['Home Assistant', '{url}/@{project}', 'Settings, Devices & services, Add integration, Ollama: this is the URL. It can set no header, so the path names the project.'],
	['Continue', 'models:\n  - name: shared\n    provider: ollama\n    model: llama3.2\n    apiBase: {url}\n    requestOptions:\n      headers:\n        X-Project-Name: {project}'],
	['aider', 'export OLLAMA_API_BASE={url}\naider --model ollama_chat/llama3.2'],
];

function fill(lines) {
	let url = location.origin;
	try {
		const given = new URL($('address').value);
		if (/^https?:$/.test(given.protocol)) url = given.origin;
	} catch { /* what is typed is no address yet */ }
	const project = $('project').value.replace(/[^\w.-]/g, '_') || 'my-project';
	return lines.replace(/{url}|{project}/g, word => word === '{url}' ? url : project);
}

function showClients() {
	for (const pre of $('clients').querySelectorAll('pre')) text(pre, fill(pre.lines));
}

async function copy(pre, button) {
	let done = false;
	try {
		await navigator.clipboard.writeText(pre.textContent);
		done = true;
	} catch { // there is no clipboard without TLS but on localhost
		const range = document.createRange();
		range.selectNodeContents(pre);
		getSelection().removeAllRanges();
		getSelection().addRange(range);
		done = document.execCommand('copy');
	}
	text(button, done ? 'Copied' : 'Press Ctrl+C');
	say(done ? 'Copied.' : 'Selected: press Ctrl and C.');
	setTimeout(() => text(button, 'Copy'), 2000);
}

function makeClients() {
	$('address').value = location.origin;
	for (const [name, lines, note] of CLIENTS) {
		const pre = make('pre', {tabindex: '0', role: 'group', 'aria-label': 'Lines for ' + name});
		pre.lines = lines;
		const button = make('button', {type: 'button', 'aria-label': 'Copy the lines for ' + name}, 'Copy');
		button.addEventListener('click', () => copy(pre, button));
		$('clients').append(make('h3', {}, name, button), pre);
		if (note) $('clients').append(make('p', {class: 'soft'}, note));
	}
	showClients();
}

// On an admin listener there is nothing for clients.
async function onConnect() {
	if (!$('connect').open || state.asked) return;
	state.asked = true;
	const answer = await fetch('/api/version', {method: 'HEAD', headers: headers(), credentials: 'omit'}).catch(() => null);
	if (!answer || answer.status !== 404) return;
	text($('connect-note'), 'This page is on the admin listener, which serves no client: write the address of the other one here.');
	$('connect-note').hidden = false;
}

$('pause').addEventListener('click', onPause);
$('key-form').addEventListener('submit', onKey);
$('key-close').addEventListener('click', closeKey);
$('key-form').addEventListener('keydown', event => event.key === 'Escape' && closeKey());
$('key-forget').addEventListener('click', onForget);
$('connect').addEventListener('toggle', onConnect);
$('address').addEventListener('input', showClients);
$('project').addEventListener('input', showClients);
addEventListener('resize', showTimeline);
addEventListener('visibilitychange', () => document.hidden || show());
makeClients();
setInterval(tick, 1000);
listen();
})();
