// Every word of the page, in English and Chinese.
const WORDS = {
  en: {
    jobs: "Jobs", project: "Project", graph: "Graph", token: "Token", newJob: "New job",
    vertexFilter: "Vertex filter", edgeFilter: "Edge filter", algorithm: "Algorithm", submit: "Submit",
    job: "Job", work: "Work", state: "State", progress: "Progress", rows: "Rows", why: "Why", actions: "Actions",
    none: "No jobs.", newer: "Newer", older: "Older", goTo: "Go to row", close: "Close", cancel: "Cancel", show: "Result",
    keys: "Keys in the list: ↑ ↓ move, Enter shows the result, Delete cancels.",
    rowKeys: "Keys in the rows: ↑ ↓ PgUp PgDn Home End; the wheel and the slider move too; Esc closes.",
    other: "中文", submitted: "Job {0} is stored.", cancelled: "Job {0} was asked to stop.", range: "{0}–{1} of {2}",
    lost: "The service does not answer: {0}",
    states: { waiting: "waiting", running: "running", cancelling: "cancelling", succeeded: "succeeded", failed: "failed", cancelled: "cancelled", unreadable: "unreadable" },
    reasons: null,
  },
  zh: {
    jobs: "作业", project: "项目", graph: "图", token: "令牌", newJob: "新建作业",
    vertexFilter: "点过滤查询", edgeFilter: "边过滤查询", algorithm: "执行算法", submit: "提交",
    job: "作业", work: "任务", state: "状态", progress: "进度", rows: "行数", why: "说明", actions: "操作",
    none: "没有作业。", newer: "较新", older: "较旧", goTo: "跳转到行", close: "关闭", cancel: "取消", show: "结果",
    keys: "列表按键：↑ ↓ 移动，Enter 查看结果，Delete 取消作业。",
    rowKeys: "结果按键：↑ ↓ PgUp PgDn Home End；也可用滚轮和滑块；Esc 关闭。",
    other: "English", submitted: "作业 {0} 已保存。", cancelled: "已请求停止作业 {0}。", range: "第 {0}–{1} 行，共 {2} 行",
    lost: "服务没有响应：{0}",
    states: { waiting: "等待", running: "运行中", cancelling: "正在取消", succeeded: "成功", failed: "失败", cancelled: "已取消", unreadable: "无法读取" },
    reasons: {
      noHandler: () => "等待：本引擎没有该类作业的处理器",
      queued: (why) => (why.jobs ? `等待：同一个图前面还有 ${why.jobs} 个作业` : "等待空闲的工作线程，是该图的下一个作业"),
      graphBusy: (why) => `等待：该图已有 ${why.jobs} 个作业在运行，达到上限`,
      classBusy: (why) => `等待：同类作业已有 ${why.jobs} 个在运行，达到上限`,
      delayed: () => "上次尝试失败，等待重试",
      suspect: () => "等待：其进程曾在多个作业运行时退出，这些作业逐个重新运行",
      starting: () => "即将开始",
      running: (_, job) => (job.progress?.total ? `运行中：已完成 ${job.progress.done} / ${job.progress.total} 步` : "运行中"),
      cancelling: () => "已请求停止，尚未到达检查点",
      succeeded: (_, job) => `成功，共 ${number(job.rows)} 行`,
      failed: (why) => `失败：${why.sentence.replace(/^it failed: /, "")}`,
      cancelled: () => "已取消",
    },
  },
};

let language = navigator.language.startsWith("zh") ? "zh" : "en";
try { language = localStorage.getItem("language") ?? language; } catch { /* no storage: the browser's language */ }

export function word(name, ...values) {
  return (WORDS[language][name] ?? name).replace(/\{(\d)\}/g, (_, place) => values[place]);
}

export const state = (name) => WORDS[language].states[name] ?? name;

export function why(job) {
  const say = WORDS[language].reasons?.[job.why.reason];
  return say ? say(job.why, job) : job.why.sentence;
}

export const number = (value) => value.toLocaleString(language);

export function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = word("jobs");
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  document.getElementById("language").textContent = word("other");
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  try { localStorage.setItem("language", language); } catch { /* for this visit only */ }
  translate();
}
