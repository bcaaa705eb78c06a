// A page that fails shows what happened, and leaves the others alone.
import { Component, type ReactNode } from "react";
import { useText } from "../i18n/i18n.ts";
import { isMissingPart, reloadOnce } from "./reload.ts";

export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidCatch(error: unknown) {
    if (error instanceof Error && isMissingPart(error)) reloadOnce();
  }

  override render() {
    if (this.state.error && isMissingPart(this.state.error)) return <Updated />;
    return this.state.error ? <Crashed error={this.state.error} /> : this.props.children;
  }
}

function Crashed({ error }: { error: Error }) {
  const text = useText().common;
  return (
    <div className="state" role="alert">
      <h2>{text.error.crashed}</h2>
      <p>{text.error.crashedHelp}</p>
      <pre>{error.message}</pre>
      <button type="button" className="button" onClick={() => location.reload()}>{text.retry}</button>
    </div>
  );
}

function Updated() {
  const text = useText().common;
  return (
    <div className="state" role="alert">
      <h1>{text.error.updated}</h1>
      <p>{text.error.updatedHelp}</p>
      <button type="button" className="button primary" onClick={() => location.reload()}>{text.error.reload}</button>
    </div>
  );
}
