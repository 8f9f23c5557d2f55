# shellcheck shell=bash
# Functions that write small data files.

# Writes IDX files of four images of 2 x 2 pixels.
write_idx() { # write_idx FOLDER
  mkdir -p "$1"
  printf '\0\0\10\3\0\0\0\4\0\0\0\2\0\0\0\2abcdefghijklmnop' >"$1/train-images-idx3-ubyte"
  printf '\0\0\10\1\0\0\0\4\0\1\0\1' >"$1/train-labels-idx1-ubyte"
}

# Writes the same with three bytes of the images.
write_truncated_idx() { # write_truncated_idx FOLDER
  write_idx "$1"
  printf '\0\0\10\3\0\0\0\4\0\0\0\2\0\0\0\2abc' >"$1/train-images-idx3-ubyte"
}

# Writes an npy file of a type and a shape, in NumPy's notation; BYTES are an argument for printf.
write_npy() { # write_npy FILE TYPE SHAPE BYTES
  local header="{'descr': '$2', 'fortran_order': False, 'shape': $3, }"
  {
    printf '\223NUMPY\1\0v\0'
    printf '%-117s\n' "$header"
    printf '%b' "$4"
  } >"$1"
}
