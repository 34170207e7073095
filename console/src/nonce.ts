// The page's policy allows styles with its nonce only. Libraries that make style elements by script (the terminal, the
// editor) don't know it, so it is put on each as it is made; markup that is injected never gets it.

export const pageNonce = document.querySelector('meta[name="csp-nonce"]')?.getAttribute('content') ?? '';

const create = document.createElement.bind(document);

Object.defineProperty(document, 'createElement', {
  value: (name: string, options?: ElementCreationOptions) => {
    const element = create(name, options);
    if (element instanceof HTMLStyleElement) element.nonce = pageNonce;
    return element;
  },
});
