// Which of two products a Linear runs, where no table knows: by their times.
#ifndef OPS_LINEAR_PRODUCT_CHOICE_H_
#define OPS_LINEAR_PRODUCT_CHOICE_H_

#include <functional>
#include <string>

namespace xdna::ops {

struct ProductChoice {
  bool own = false;  // rather than the library's
  double ratio = 1;  // of the other one's time over its own
};

// Runs both in turns, a few times, when `shape` is first asked about; from then on the answer is
// the same, so that a process has the same bits however often it makes a product of this shape;
// another process may choose otherwise. `make(own)` returns what runs one of them and must not ask
// here itself. Safe to call from many threads.
ProductChoice ChooseProduct(const std::string& shape,
                            const std::function<std::function<void()>(bool own)>& make);

}  // namespace xdna::ops

#endif  // OPS_LINEAR_PRODUCT_CHOICE_H_
