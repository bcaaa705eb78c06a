// A rule that is not there yet.
import { lazy, Suspense } from "react";
import { Loading } from "../ui/state.tsx";
import { useManaged } from "./data.ts";
import "./rules.css";
import { Unmanaged } from "./states.tsx";

const Editing = lazy(() => import("./editing.tsx"));

export default function Page() {
  const managed = useManaged();
  if (managed === false) return <Unmanaged />;
  return <Suspense fallback={<Loading />}><Editing /></Suspense>;
}
