import type { Messages } from "../i18n.ts";


export const session: Messages["session"] = {
  title: "登录",
  intro: "Vedette 显示您在集群中有权查看的审计事件。",
  token: "令牌",
  tokenHelp: "Kubernetes、身份提供商或本控制台的 Bearer 令牌。",
  keep: "在此设备上保持登录",
  submit: "登录",
  checking: "验证中…",
  wrong: "控制台不认识该令牌。",
  expired: "您已退出登录：令牌已失效。",
  provider: "使用组织账号登录",
  or: "或",
  failed: (why) => `登录失败：${why}`,
  signingIn: "正在登录…",
  signOut: "退出登录",
  account: (name) => `已登录：${name}`,
  everything: "全部事件",
  everythingHelp: "您可以查看所有集群的全部事件。",
  tenant: "您的项目",
  tenantHelp: "您只能看到有权列出事件的项目和企业空间的事件：计数和图表也仅限于此。",
  view: (name, what) => `${name} · ${what}`,
};
