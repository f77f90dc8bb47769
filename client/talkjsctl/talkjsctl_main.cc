#include "client/talkjsctl/app.h"

int main(int argc, char** argv) { return talkjsd::talkjsctl::Run(argc, argv); }
