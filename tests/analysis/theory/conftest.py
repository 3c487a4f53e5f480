"""A short text with everything that the theory may hold."""

from __future__ import annotations

import pytest

from analysis.theory.reading import Theory, parse

TEXT = r"""# A & B

The *opening*, with `code <b>` & **bold**.

## 1. Why `f(x)` is <b>

A formula among words ($x_1^2$), and one of its own:

$$
\sum_{i=1}^{n} \frac{x_i}{n} = \log x
$$

which ends here, with [a link](https://example.org/?a&b).

### 1 (a) Below

- first, $y$;
- **second**
  and more

1. one
2. two

| name | $\alpha$ |
|---|---|
| `a` | 1 < 2 |

```python
def f(x):
    return x  # <b>
```

## 2. Last

<script>alert(1)</script>
"""


@pytest.fixture
def short() -> Theory:
    """The text as parsed."""
    return parse(TEXT)
