// Planted: not formatted. clang-format must refuse this file.
int   planted( ) {return 1 ;}
