// Every word of the page, in English and Chinese.
const failures = {
  panicked: "任务代码崩溃", interrupted: "进程在运行时退出", shutdown: "引擎关闭", store: "无法保存结果", deadline: "已过截止时间",
  row_budget: "行数超出预算", byte_budget: "字节数超出预算", memory_budget: "内存超出预算",
};
// Sentences of the engine where it has no word for the reason.
const OTHERS = [
  [/^it waits for an engine that has a free worker$/, "等待有空闲工作线程的引擎"],
  [/^another engine has been running it for (.+) \(attempt (\d+)\)$/, "另一个引擎正在运行（第 $2 次尝试，已运行 $1）"],
  [/^this engine lost its lease on it.*/s, "本引擎未能及时访问存储，失去了租约；作业将重新运行"],
  [/^it waits for job (.+)$/, (_, jobs) => `等待作业 ${jobs.replaceAll(", job ", "、")}`],
];
// The subject of a refusal; the service says more in English.
const REFUSALS = {
  "GES.8000": "请求格式错误", "GES.8005": "参数值错误", "GES.8006": "没有该路径或图", "GES.8007": "未知的客户端", "GES.8020": "无权执行此操作",
  "GES.8301": "没有该作业，或作业失败、已取消", "GES.8302": "无法读取作业", "GES.8303": "作业无法取消", "GES.8402": "算法未知或其参数错误", "GES.8602": "服务目前不接受作业",
};

// The keys of the help; each language says what they do, in this order.
const KEYS = ["↑ ↓, k j", "Home End PgUp PgDn", "← →", "Enter", "x", "c", "r", "/", "Esc", "?"];

// Both languages have these: states that say all, and sentences made of other words.
const REASONS = {
  succeeded: () => "", cancelled: () => "", removed: () => "", delayed: (_, job) => retries(job), running: (_, job) => steps(job),
};

const WORDS = {
  en: {
    jobs: "Jobs", project: "Project", graph: "Graph", token: "Token", newJob: "New job",
    vertexFilter: "Vertex filter", edgeFilter: "Edge filter", algorithm: "Algorithm", submit: "Submit",
    job: "Job", work: "Work", state: "State", rows: "Rows", why: "Details", actions: "Actions",
    owner: "Owner", label: "Label", clear: "Clear the filter", nothing: "No job matches the filter.", reading: "Reading …",
    back: "← All jobs", copyThis: "Copy the id", attempt: "Attempt",
    submitted: "Submitted", started: "Started", ran: "Ran", waited: "Waited", request: "Request",
    curl: "Copy as curl", again: "Run again", againOf: "Run {0} again",
    askCancel: "Cancel {0}?", askWaiting: "It has not started.", askRunning: "It is running. What it has done so far is lost.",
    yesCancel: "Cancel the job", no: "Back", askAgain: "Run {0} again?",
    askCopy: "A new job gets the same request and a link to this one. It does not get its owner and its labels.",
    notAgain: "The service does not tell the request of this job.",
    fresh: "{0} new jobs", freshOne: "1 new job", pause: "Pause", ended: "{0}: {1}.",
    none: "No jobs yet.", newer: "Newer", older: "Older", goTo: "Go to row", noRows: "no rows",
    cancel: "Cancel", cancelOf: "Cancel {0}", show: "Result", showOf: "Result of {0}",
    copyId: "Copy the id of {0}", copied: "Copied: {0}", notCopied: "This browser does not let the page copy.",
    keys: "Keys", close: "Close", notCancel: "Only a job that waits or runs can be cancelled.",
    help: ["move in the list", "move far", "move between the buttons of a row", "open the job",
      "select the job", "cancel the job (asks first)", "run the job again (asks first)", "filter the list", "back to the list", "this help"],
    rowKeys: "Keys in the rows: ↑ ↓ PgUp PgDn Home End, Enter opens a row; the wheel, a finger and the slider move too; Esc goes back to the list.",
    row: "Row", oneRow: "Row {0} of {1}", before: "Previous", next: "Next", copy: "Copy", copyValue: "Copy {0}", more: "{0} more",
    histogram: "Histogram of", plotOf: "Histogram of {0}. {1}", plotFigures: "Least {0}, median {1}, greatest {2}.", plotNone: "There are no numbers.",
    plotAll: "From all {0} rows.", plotSome: "From {0} of {1} rows: {2} small pages, evenly spaced.", plotLog: "Each bar spans the same factor.", plotBad: "{0} pages could not be read.",
    download: "Download all rows as {0}",
    byDefault: "{0} by default", isRequired: "This is needed.", noNumber: "This is not a number.", notWhole: "This is not a whole number.",
    outOfRange: "This is out of range: {0}.", noJson: "This is not JSON.", noFields: "The fields do not have what this JSON has.",
    picked: "Selected jobs", pick: "Select {0}", unpick: "Select none", pickedCount: "{0} selected", yesMany: "Cancel the jobs",
    askMany: "Of these, {0} run, and what they have done so far is lost.", cancelledMany: "{0} jobs were asked to stop.",
    allGraphs: "all graphs", figures: "Figures", isWaiting: "Waiting", isRunning: "Running, of workers", starts: "Starts a second", waits: "Wait, p50 / p99", lastMinutes: "{0}, last 15 minutes: at most {1}",
    ofThisProcess: "These are the figures of this process. The states below count the jobs of the whole store.",
    timeline: "Timeline", asNew: "Open as new job", segments: "Segments: {0}", segment: "segment {0} of attempt {1}: {2} rows, {3}",
    attemptIs: "attempt {0}", attemptFailed: "failed after {0}: {1}", waitsFor: "waits for {0}", of: "{0} of {1}", ahead: "The jobs of this graph that wait or run",
    left: "Time left", about: "about {0}", bytes: "Bytes", memory: "Memory", atMost: "{0} at most {1}", priority: "Priority", class: "Class", graphVersion: "Version of the graph",
    deadline: "Deadline", budget: "Budget used", engine: "Engine", engineIs: "{0}, lease until {1}", engineHere: "this one ({0}), lease until {1}", linkAgain: "Runs job {0} again ({1})", trace: "Trace",
    find: "Find", findWhat: "The end of an id, or a part of the name of a work or a graph", pages: "Pages of the list",
    attemptOf: "attempt {0}/{1}", waitedFor: "waited {0}", ranFor: "ran {0}", retriesAt: "next attempt {0}, after: {1}", startsAt: "starts {0}", soon: "soon",
    notices: "Notices", unwell: "The engine is not well: {0}", enter: "Continue", graphsAre: "Graphs of the project:", goneWhy: "It was removed, or its id or graph is another one.",
    sample: "Run this sample", zeroRows: "The result has no rows.", damaged: "Rows {0} to {1} cannot be read: {2}",
    soFar: "The rows so far: the job runs and adds more.",
    other: "中文", stored: "Job {0} is stored.", cancelled: "Job {0} was asked to stop.", range: "{0}–{1} of {2}",
    lost: "The service does not answer: {0}", strange: "the answer is not of this service (HTTP {0})",
    live: "live, {0}", silent: "no answer for {0}", paused: "paused, {0}", refused: "not updated, {0}", silentNow: "The service does not answer, so nothing is asked of it.",
    noGraph: "The project has no graph.", giveToken: "Enter a token.", ago: "{0} ago",
    unknown: "unknown", days: "{0} d", hours: "{0} h", minutes: "{0} min", seconds: "{0} s", milliseconds: "{0} ms",
    states: { waiting: "waiting", running: "running", cancelling: "cancelling", succeeded: "succeeded", failed: "failed", cancelled: "cancelled", unreadable: "unreadable", removed: "removed" },
    reasons: {
      failed: ({ sentence }, job) => job.failure?.message ?? sentence.replace(/^it failed: /, ""),
      queued: (why) => (why.jobs ? `behind ${number(why.jobs)} ${why.jobs === 1 ? "job" : "jobs"} of its graph` : "next of its graph when a worker is free"),
    },
    steps: "{0} of {1} steps",
  },
  zh: {
    jobs: "作业", project: "项目", graph: "图", token: "令牌", newJob: "新建作业",
    vertexFilter: "点过滤查询", edgeFilter: "边过滤查询", algorithm: "执行算法", submit: "提交",
    job: "作业 ID", work: "任务", state: "状态", rows: "行数", why: "说明", actions: "操作",
    owner: "所有者", label: "标签", clear: "清除筛选", nothing: "没有符合筛选条件的作业。", reading: "正在读取……",
    back: "← 所有作业", copyThis: "复制 ID", attempt: "尝试次数",
    submitted: "提交时间", started: "开始时间", ran: "运行时长", waited: "等待时长", request: "请求",
    curl: "复制为 curl", again: "再次运行", againOf: "再次运行 {0}",
    askCancel: "取消 {0}？", askWaiting: "作业尚未开始。", askRunning: "作业正在运行，已完成的部分将会丢失。",
    yesCancel: "取消作业", no: "返回", askAgain: "再次运行 {0}？",
    askCopy: "将以相同的请求新建作业并链接到原作业，不沿用其所有者和标签。",
    notAgain: "服务未提供该作业的请求。",
    fresh: "{0} 个新作业", freshOne: "1 个新作业", pause: "暂停", ended: "{0}：{1}。",
    none: "还没有作业。", newer: "较新", older: "较旧", goTo: "跳转到行", noRows: "没有行",
    cancel: "取消", cancelOf: "取消 {0}", show: "结果", showOf: "查看 {0} 的结果",
    copyId: "复制 {0} 的 ID", copied: "已复制：{0}", notCopied: "浏览器不允许本页面复制。",
    keys: "快捷键", close: "关闭", notCancel: "只能取消等待中或运行中的作业。",
    help: ["在列表中移动", "快速移动", "在一行的按钮之间移动", "打开作业", "选择作业", "取消作业（先确认）", "再次运行作业（先确认）", "筛选列表", "返回列表", "显示本帮助"],
    rowKeys: "结果按键：↑ ↓ PgUp PgDn Home End，Enter 打开一行；也可用滚轮、触摸和滑块；Esc 返回列表。",
    row: "行", oneRow: "第 {0} 行，共 {1} 行", before: "上一行", next: "下一行", copy: "复制", copyValue: "复制 {0}", more: "还有 {0} 个",
    histogram: "直方图：", plotOf: "{0} 的直方图。{1}", plotFigures: "最小 {0}，中位数 {1}，最大 {2}。", plotNone: "没有数值。",
    plotAll: "取自全部 {0} 行。", plotSome: "取自 {1} 行中的 {0} 行：均匀分布的 {2} 个小页。", plotLog: "各柱跨越相同的倍数。", plotBad: "{0} 个页无法读取。",
    download: "下载全部行（{0}）",
    byDefault: "默认 {0}", isRequired: "必填。", noNumber: "不是数字。", notWhole: "不是整数。",
    outOfRange: "超出范围：{0}。", noJson: "不是 JSON。", noFields: "字段无法容纳该 JSON 的内容。",
    picked: "所选作业", pick: "选择 {0}", unpick: "取消选择", pickedCount: "已选 {0} 个", yesMany: "取消这些作业",
    askMany: "其中 {0} 个正在运行，已完成的部分将会丢失。", cancelledMany: "已请求停止 {0} 个作业。",
    allGraphs: "所有图", figures: "指标", isWaiting: "等待中", isRunning: "运行中 / 工作线程", starts: "每秒启动", waits: "等待时长 p50 / p99", lastMinutes: "{0}，最近 15 分钟：最高 {1}",
    ofThisProcess: "以上为本进程的指标；下方各状态的数量为整个存储的作业。",
    timeline: "时间线", asNew: "以此新建作业", segments: "分段：{0}", segment: "第 {1} 次尝试的分段 {0}：{2} 行，{3}",
    attemptIs: "第 {0} 次尝试", attemptFailed: "{0}后失败：{1}", waitsFor: "已等待 {0}", of: "{0} / {1}", ahead: "该图等待中和运行中的作业",
    left: "剩余时间", about: "约 {0}", bytes: "字节数", memory: "内存", atMost: "{0} 不超过 {1}", priority: "优先级", class: "类别", read: "读", write: "写", graphVersion: "图的版本",
    deadline: "截止时间", budget: "预算使用", engine: "引擎", engineIs: "{0}，租约至 {1}", engineHere: "本引擎（{0}），租约至 {1}", linkAgain: "再次运行作业 {0}（{1}）", trace: "跟踪",
    find: "查找", findWhat: "ID 的结尾，或任务、图名称的一部分", pages: "列表翻页",
    attemptOf: "第 {0}/{1} 次尝试", waitedFor: "等待了 {0}", ranFor: "运行了 {0}", retriesAt: "下次尝试：{0}，上次失败：{1}", startsAt: "开始时间：{0}", soon: "即将",
    notices: "通知", unwell: "引擎状态异常：{0}", enter: "继续", graphsAre: "该项目的图：", goneWhy: "作业已被删除，或其 ID、图不符。",
    sample: "运行此示例", zeroRows: "结果没有行。", damaged: "第 {0} 至 {1} 行无法读取：{2}",
    soFar: "目前已有的行：作业仍在运行，还会增加。",
    other: "English", stored: "作业 {0} 已保存。", cancelled: "已请求停止作业 {0}。", range: "第 {0}–{1} 行，共 {2} 行",
    lost: "服务没有响应：{0}", strange: "响应不是来自本服务（HTTP {0}）",
    live: "实时，{0}更新", silent: "服务已 {0}没有响应", paused: "已暂停，{0}更新", refused: "未能更新，上次为 {0}", silentNow: "服务没有响应，未执行操作。",
    noGraph: "该项目没有图。", giveToken: "请输入令牌。", ago: "{0}前",
    unknown: "未知", days: "{0} 天", hours: "{0} 小时", minutes: "{0} 分钟", seconds: "{0} 秒", milliseconds: "{0} 毫秒",
    states: { waiting: "等待", running: "运行中", cancelling: "正在取消", succeeded: "成功", failed: "失败", cancelled: "已取消", unreadable: "无法读取", removed: "已删除" },
    reasons: {
      noHandler: () => "本引擎没有该类作业的处理器",
      queued: (why) => (why.jobs ? `同一个图前面还有 ${number(why.jobs)} 个作业` : "等待空闲的工作线程，是该图的下一个作业"),
      graphBusy: (why) => `该图已有 ${number(why.jobs)} 个作业在运行，达到上限`,
      classBusy: (why) => `同类作业已有 ${number(why.jobs)} 个在运行，达到上限`,
      failed: ({ sentence }, { failure }) => [failures[failure?.kind], failure?.message ?? sentence.replace(/^it failed: /, "")].filter(Boolean).join("："),
      other: ({ sentence }) => OTHERS.reduce((text, [from, to]) => text.replace(from, to), sentence),
      unknown: () => "原因未知",
      suspect: () => "其进程曾在多个作业运行时退出，这些作业逐个重新运行",
      starting: () => "即将开始",
      cancelling: () => "已请求停止，尚未到达检查点",
    },
    steps: "已完成 {0} / {1} 步",
  },
};

let language = navigator.language.startsWith("zh") ? "zh" : "en";
try {
  const kept = localStorage.getItem("language");
  if (kept in WORDS) language = kept;
} catch { /* no storage: the language of the browser */ }

export function word(name, ...values) {
  return (WORDS[language][name] ?? name).replace(/\{(\d)\}/g, (_, place) => values[place]);
}

// The keys and what each does.
export const help = () => KEYS.map((key, place) => [key, WORDS[language].help[place]]);

export const locale = () => (language === "zh" ? "zh-CN" : "en-GB");

export const state = (name) => WORDS[language].states[name] ?? name;

const steps = ({ progress }) => (progress?.total ? word("steps", number(progress.done), number(progress.total)) : "");

// A refusal with its code.
export const refusal = (message, code) => (language === "zh" && REFUSALS[code] ? `${REFUSALS[code]}：${message} (${code})` : `${message} (${code})`);

// When and why a job is tried again.
function retries({ why: { sentence }, failure, notBefore }) {
  const reason = failure?.message ?? (sentence.includes("after: ") ? sentence.replace(/^.*?after: /s, "") : undefined);
  const at = notBefore ? new Date(notBefore).toLocaleTimeString(locale()) : word("soon");
  return reason === undefined ? word("startsAt", at) : word("retriesAt", at, reason);
}

// Why a job waits or failed. The state stands beside it, so it is not said again.
export function why(job) {
  const say = { ...REASONS, ...WORDS[language].reasons }[job.why.reason];
  return say ? say(job.why, job) : job.why.sentence.replace(/^it (waits|failed): /, "");
}

// A number of bytes.
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const unit = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  return `${(bytes / 1000 ** unit).toLocaleString(locale(), { maximumFractionDigits: unit ? 1 : 0 })} ${units[unit]}`;
}

export const number = (value) => value.toLocaleString(locale());

// A number of a plot, short.
export function brief(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e9)) return value.toExponential(2);
  return value.toLocaleString(locale(), { maximumSignificantDigits: size >= 1e4 ? 9 : 4 });
}

export function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = word("jobs");
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) element.ariaLabel = word(element.dataset.label);
  document.getElementById("language").textContent = word("other");
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  try { localStorage.setItem("language", language); } catch { /* for this visit only */ }
  translate();
}
