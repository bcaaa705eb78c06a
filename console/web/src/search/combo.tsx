// A box with a list of suggestions: ARIA's combobox. The box keeps the focus; what is typed counts, unless a suggestion is chosen.
import { type InputHTMLAttributes, type KeyboardEvent, type ReactNode, type Ref, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { visible } from "../ui/plain.tsx";

export interface Option {
  id: string;
  /** What is put into the box. */
  text: string;
  label: string;
  hint?: string;
}

export interface Props extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange" | "value" | "onSelect"> {
  label: string;
  /** What the list is called. */
  listLabel: string;
  value: string;
  onChange: (value: string) => void;
  options: readonly Option[];
  onAccept: (option: Option) => void;
  /** Enter, where no suggestion is chosen. */
  onEnter: () => void;
  /** Esc, where no list is open. */
  onLeave?: () => void;
  inputRef?: Ref<HTMLInputElement>;
  /** Over the box: marks of errors. */
  children?: ReactNode;
}

export function Combo({ label, listLabel, value, onChange, options, onAccept, onEnter, onLeave, inputRef, children, ...rest }: Props) {
  const id = useId();
  const [wanted, setWanted] = useState(false);
  const [active, setActive] = useState(-1);
  const list = useRef<HTMLUListElement>(null);
  const open = wanted && options.length > 0;
  const chosen = open ? options[active] : undefined;
  // Before a key that comes next is heard: it may choose one of these.
  useLayoutEffect(() => setActive(-1), [value, options.length]);
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const accept = (option: Option) => {
    onAccept(option);
    setActive(-1);
  };
  const key = (event: KeyboardEvent<HTMLInputElement>) => {
    // While an input method composes, keys are its own.
    if (event.nativeEvent.isComposing) return;
    const { length } = options;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setWanted(true);
      if (length === 0) return;
      const step = event.key === "ArrowDown" ? 1 : -1;
      // One place more than there are suggestions: the box itself.
      setActive((at) => ((at + 1 + step + length + 1) % (length + 1)) - 1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (chosen) accept(chosen);
      else {
        setWanted(false);
        onEnter();
      }
    } else if (event.key === "Tab" && chosen) {
      event.preventDefault();
      accept(chosen);
    } else if (event.key === "Escape") {
      if (open) {
        event.preventDefault();
        event.stopPropagation();
        setWanted(false);
      } else onLeave?.();
    }
  };
  return (
    <div className="combo">
      <input
        {...rest} ref={inputRef} type="text" role="combobox" aria-label={label} aria-autocomplete="list" aria-expanded={open} aria-controls={open ? id : undefined}
        aria-activedescendant={chosen ? `${id}-${active}` : undefined} autoComplete="off" autoCapitalize="off" autoCorrect="off" spellCheck={false} value={value}
        onChange={(event) => { setWanted(true); onChange(event.target.value); }} onKeyDown={key} onBlur={(event) => { setWanted(false); rest.onBlur?.(event); }}
      />
      {children}
      {open ? (
        <ul ref={list} id={id} role="listbox" aria-label={listLabel} className="combo-list">
          {options.map((option, at) => (
            <li
              key={option.id} id={`${id}-${at}`} role="option" aria-selected={at === active}
              // The box keeps the focus.
              onMouseDown={(event) => { event.preventDefault(); accept(option); }}
            >
              <span className="combo-text">{visible(option.label)}</span>
              {option.hint ? <span className="combo-hint">{option.hint}</span> : null}
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
